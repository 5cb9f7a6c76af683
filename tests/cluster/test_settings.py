"""The cluster file: what it takes, and what is said of one that is wrong."""

import json
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.kinds import parse_cluster
from cluster.kinds.address import Address
from cluster.kinds.local import Local
from cluster.kinds.ssh import Ssh
from cluster.settings import SshSettings, json_schema, read_cluster_file
from tests.cli_sandbox import invoke

EXAMPLES = sorted((Path(__file__).parents[2] / "cluster" / "examples").glob("*.toml"))

HOSTS = 'kind = "ssh"\n[[hosts]]\nhost = "a"\n[[hosts]]\nhost = "b"\n'


@pytest.fixture
def file(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "c.toml"
        path.write_text(text)
        return path

    return write


def test_an_example_of_each_kind():
    kinds = [type(parse_cluster(str(path))) for path in EXAMPLES]
    assert kinds == [Address, Local, Ssh]


def test_hosts(file):
    settings = read_cluster_file(file('kind="ssh"\nhead="b"\n' + HOSTS.partition("\n")[2]))
    assert isinstance(settings, SshSettings)
    assert [host.host for host in settings.hosts] == ["a", "b"] and settings.head_index == 1


def test_files_of_this_machine_count_from_the_cluster_file(file, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    for path in (tmp_path / "k", tmp_path / "home" / "id"):
        path.touch()
    settings = read_cluster_file(
        file('kind="ssh"\nknown_hosts="k"\n[[hosts]]\nhost="a"\nidentity="~/id"\n')
    )
    assert isinstance(settings, SshSettings)
    assert settings.known_hosts == tmp_path / "k"
    assert settings.hosts[0].identity == Path.home() / "id"


WRONG = {
    "": "'kind' is missing",
    'kind = "slurm"': "kind = 'slurm' is not built yet",
    'kind = "shh"': "kind = 'shh': write local, address or ssh",
    'kind = "ssh"': "'hosts' is missing",
    'kind = "ssh"\nhosts = []': "hosts = ",
    'kind = "ssh"\nhosts = "a"': "hosts = 'a'",
    'kind = "ssh"\n[[hosts]]\nhots = "a"': r"unknown key 'hosts\[0\].hots'; allowed: host, user",
    'kind = "ssh"\n[[hosts]]\nhost = "a"\ncpus = -1': r"hosts\[0\].cpus = -1",
    HOSTS + '[environment]\nvenv = "x"\nconda = "y"': "name one of venv and conda",
    HOSTS + '[environment]\nenv = { "a b" = "c" }': "environment.env",
    HOSTS + '[ray]\nport_range = "20000"': "ray.port_range = '20000': write FIRST-LAST",
    HOSTS + '[ray]\nport_range = "30000-20000"': "ray.port_range = '30000-20000': write FIRST",
    HOSTS + '[ray]\nport_range = "20000-99999"': "between 1024 and 65535, 150 ports at least",
    HOSTS + '[ray]\nport_range = "20000-20100"': "150 ports at least",
    HOSTS.replace("[[hosts]]", "known_hosts = 'nokeys'\n[[hosts]]", 1): "no such file",
    HOSTS + '[[hosts]]\nhost = "c"\nidentity = "no"': r"hosts\[2\].identity = .*no such file",
    HOSTS + "[storage]\nscratsh = 1": "unknown key 'storage.scratsh'; allowed: scratch",
    'kind = "ssh"\nhead = "c"\n'
    + HOSTS.partition("\n")[2]: "head = 'c' is none of the hosts: a, b",
    'kind = "local"\ncpus = 3': "unknown key 'cpus'; allowed: kind",
    'kind = "address"\naddress = "x"': "address = 'x'",
    "[[kind": "is no TOML",
    HOSTS + '[[hosts]]\nhost = "a"': "host 'a' stands there twice",
}


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_named(file, text):
    path = file(text)
    with pytest.raises(ClusterError, match=WRONG[text]) as raised:
        read_cluster_file(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_a_file_that_is_not_there_or_no_text(tmp_path):
    with pytest.raises(ClusterError, match="No such file"):
        parse_cluster(str(tmp_path / "no.toml"))
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ClusterError, match="it is no text"):
        parse_cluster(str(tmp_path / "c.toml"))


def test_schema_names_every_key():
    schema = json.loads(json_schema())
    text = json.dumps(schema)
    for key in ("hosts", "identity", "jump", "port_range", "scratch", "modules", "driver"):
        assert f'"{key}"' in text
    assert json.loads(invoke("cluster", "schema").stdout) == schema


def test_what_is_not_ours_is_neither_brought_up_nor_down(file):
    for text in ('kind = "local"', 'kind = "address"\naddress = "a:1"'):
        for verb in ("up", "down", "status"):
            result = invoke("cluster", verb, file(text))
            assert result.exit_code == 2 and "not ours to bring up or down" in result.stderr
