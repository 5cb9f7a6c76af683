"""Which cluster a text names, and the token that all of them need."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.kinds import KINDS, parse_cluster
from cluster.kinds.address import Address
from cluster.kinds.base import StartRequest
from cluster.kinds.local import Local
from cluster.kinds.ssh import Ssh
from cluster.token import ensure_token
from tests.contracts.cluster_kind import ClusterKindContract, StartableKindContract


class TestLocal(StartableKindContract):
    @pytest.fixture
    def text(self) -> str:
        return "local"

    @pytest.fixture
    def kind(self) -> type[Local]:
        return Local


class TestAddress(ClusterKindContract):
    @pytest.fixture(params=["10.0.0.1:6379", "head:6379", "auto"])
    def text(self, request) -> str:
        return request.param

    @pytest.fixture
    def kind(self) -> type[Address]:
        return Address


def test_every_kind_has_its_contract():
    # Hosts over ssh need hosts: their contract is ``test_hosts.py``.
    assert set(KINDS) == {Local, Address, Ssh}


def test_local_and_addresses():
    assert isinstance(parse_cluster("local"), Local)
    assert parse_cluster("10.0.0.1:6379") == Address("10.0.0.1:6379")
    assert parse_cluster("auto") == Address("auto")


@pytest.mark.parametrize("text", ["", "host", "host:", "host:port", "ray://host:10001", "a b:1"])
def test_anything_else_is_refused(text):
    with pytest.raises(ClusterError, match="HOST:PORT"):
        parse_cluster(text)


def test_token_is_private_and_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    ensure_token()
    path = tmp_path / ".ray" / "auth_token"
    token = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600 and len(token) == 64
    path.chmod(0o644)
    ensure_token()
    assert path.read_text() == token and path.stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_what_ray_wrote_on_this_machine_stays_after_an_error_and_goes_with_the_next(
    tmp_path, monkeypatch
):
    place = Path(tempfile.mkdtemp(prefix="r-", dir="/tmp"))  # sockets need a short one
    monkeypatch.setenv("RAY_TMPDIR", str(place))
    request = StartRequest("x", 1, (), tmp_path, print)
    try:
        with pytest.raises(ZeroDivisionError), Local().running(request):
            raise ZeroDivisionError
        [folder] = place.iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        assert list(folder.glob("r/session_*/logs/*"))
        with Local().running(request):
            assert not folder.exists()
        assert not list(place.iterdir())
    finally:
        shutil.rmtree(place)


@pytest.mark.slow
def test_sessions_share_a_connection_that_is_kept(tmp_path):
    """In a process of its own: Ray changes the one that it runs in."""
    program = """
import sys
from pathlib import Path
from cluster.connect import connect, is_connected, kept_connected
from cluster.kinds import parse_cluster
from cluster.kinds.base import StartRequest

local, request = parse_cluster("local"), StartRequest("x", 1, (), Path(sys.argv[1]), print)
import ray
with kept_connected():
    assert not is_connected()
    places = []
    for _ in range(2):
        with connect(local, request) as nodes:
            assert nodes
        assert is_connected() and ray.is_initialized()
        places.append(ray.get_runtime_context().get_node_id())
    assert places[0] == places[1]
assert not is_connected() and not ray.is_initialized()
with connect(local, request):
    assert ray.get_runtime_context().get_node_id() != places[0]
assert not ray.is_initialized()
print("shared")
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("shared\n"), done.stderr
