"""What is asked of hosts before anything is started on them."""

import importlib.metadata
import subprocess
import sys

import pytest

from cluster.errors import ClusterError
from cluster.settings import Environment, Host, SshSettings
from cluster.ssh import survey as survey_module
from cluster.ssh.remote import Remote
from cluster.ssh.survey import TRIAL_PACKAGES, survey

#: Refuses whatever comes with a distribution that is not needed by one of those named, or by what
#: they need themselves.
_ONLY = """
import importlib.metadata, re, sys
wanted, found = sys.argv[1:], set()
while wanted:
    name = re.split(r"[^A-Za-z0-9_.-]", wanted.pop())[0].lower().replace("_", "-")
    if name in found:
        continue
    found.add(name)
    try:
        needed = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:  # another system's
        continue
    wanted += [one for one in needed if "extra ==" not in one]
owners = importlib.metadata.packages_distributions()

class Refuse:
    def find_spec(self, name, path=None, target=None):
        own = {one.lower().replace("_", "-") for one in owners.get(name, [])}
        if own and not own & (found | {"seqtune"}):
            raise ModuleNotFoundError(f"{name} is not there", name=name)

sys.meta_path.insert(0, Refuse())
import trainables.trial, trainables.attempts.attempt
import trainables.tasks.text_classification, trainables.tasks.text_regression
import cluster.checks.nodes, cluster.checks.facts
print("whole")
"""


@pytest.mark.lengthy
@pytest.mark.whole
def test_trials_need_nothing_that_hosts_are_not_asked_for():
    done = subprocess.run(
        [sys.executable, "-c", _ONLY, *TRIAL_PACKAGES], capture_output=True, text=True
    )
    assert done.stdout == "whole\n", done.stderr


class Hosts:
    """What hosts answer, and what they were asked."""

    def __init__(self, monkeypatch) -> None:
        self.asked: dict[str, dict] = {}
        self.more: dict[str, dict] = {}
        monkeypatch.setattr(Remote, "ask", self.ask(self))
        monkeypatch.setattr(Remote, "asking", self.asking(self))

    def answer(self, name: str, request: dict) -> dict:
        self.asked[name] = request
        versions = {one: importlib.metadata.version(one) for one in TRIAL_PACKAGES}
        plain = {
            "python": "3.99.1",
            "versions": versions,
            "executable": "/p",
            "closed": "",
            "ip": f"10.0.0.{len(self.asked)}",
            "port": 7,
            "host": name,
            "cores": 2,
            "gpus": 0,
        }
        return plain | self.more.get(name, {})

    @staticmethod
    def ask(hosts: "Hosts"):
        return lambda remote, request, *_: hosts.answer(remote.name, request)

    @staticmethod
    def asking(hosts: "Hosts"):
        from contextlib import contextmanager

        @contextmanager
        def talk(remote, request, *_):
            yield iter([hosts.answer(remote.name, request)])

        return talk


SETTINGS = SshSettings(kind="ssh", hosts=(Host(host="a"), Host(host="b")), head="b")


@pytest.mark.whole
def test_without_a_driver_here_only_the_ways_to_the_head_count(monkeypatch):
    """This machine may be behind a router, with another Python."""
    hosts = Hosts(monkeypatch)
    assert [one.hostname for one in survey(SETTINGS, driver_here=False)] == ["a", "b"]
    assert hosts.asked["b"]["meet"] is None and hosts.asked["b"]["guests"] == 1
    assert hosts.asked["a"]["meet"] == ("10.0.0.1", 7) and hosts.asked["a"]["guests"] == 0
    hosts.more["a"] = {"closed": "timed out"}
    with pytest.raises(ClusterError, match=r"a cannot reach the head b at .* \(timed out\): open"):
        survey(SETTINGS, driver_here=False)
    hosts.more["a"] = {"python": "3.98.1"}
    with pytest.raises(ClusterError, match=r"a: /p is Python 3.98.1, that of b is 3.99.1: name"):
        survey(SETTINGS, driver_here=False)


@pytest.mark.whole
def test_all_that_a_host_lacks_is_told_at_once(monkeypatch):
    hosts = Hosts(monkeypatch)
    whole = hosts.answer("x", {})["versions"]
    hosts.more["a"] = {"versions": whole | {"psutil": None, "pydantic": None}}
    with pytest.raises(ClusterError, match="has no pydantic, psutil: pip install pydantic psutil"):
        survey(SETTINGS, driver_here=False)


def test_an_alias_that_only_ssh_knows(tmp_path, monkeypatch):
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\necho user me\necho hostname 127.0.0.9\n")
    ssh.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    remote = Remote(Host(host="no-such-host-anywhere"), Environment())
    assert survey_module._address_of(remote) == "127.0.0.9"
    ssh.write_text("#!/bin/sh\nexit 255\n")
    with pytest.raises(ClusterError, match=r"no way to host 'no-such-host-anywhere'.*with ip"):
        survey_module.address_towards(survey_module._address_of(remote))
