import pytest

from cluster.config import ClusterConfig, parse_cluster
from cluster.errors import ClusterError
from cluster.token import ensure_token


def test_local_and_addresses():
    assert parse_cluster("local") == ClusterConfig("local")
    assert parse_cluster("10.0.0.1:6379") == ClusterConfig("address", "10.0.0.1:6379")
    assert parse_cluster("auto").kind == "address"


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
