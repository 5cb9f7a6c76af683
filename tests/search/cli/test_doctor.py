"""``seqtune doctor`` on this machine, and on a cluster that is imagined."""

from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.checks.findings import fault
from cluster.checks.nodes import NodeReport
from cluster.errors import ClusterError
from cluster.kinds.base import Node
from search.driver import doctor
from tests.cli_sandbox import invoke
from tests.cluster.checks.test_findings import FACTS


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Ray starts at once."""

    @contextmanager
    def connect(kind, request):
        yield [Node(2, 0, 1e9)]

    monkeypatch.setattr(doctor, "connect", connect)
    monkeypatch.chdir(tmp_path)


def test_a_good_machine(quick):
    result = invoke("doctor")
    assert result.exit_code == 0, result.output
    for said in (
        "packages: ours",
        "Python 3.",
        "memory: ",
        "results: ",
        "GPUs: none",
        "Ray: starts",
    ):
        assert f"ok    {said}" in result.stdout


def test_what_is_at_fault_is_said_and_tells_by_the_exit_code(quick, monkeypatch):
    @contextmanager
    def connect(kind, request):
        raise ClusterError("Ray did not start on this machine: no room")
        yield

    monkeypatch.setattr(doctor, "connect", connect)
    monkeypatch.setattr(doctor, "foreign_packages", lambda names: ["package 'cluster': x"])
    monkeypatch.setattr(doctor, "compiled", lambda source: None)
    monkeypatch.setattr(doctor, "_LEAST_MEMORY", 1 << 60)
    result = invoke("doctor", "--results-dir", "/proc/nothing")
    assert result.exit_code == 1
    for said in ("Ray: Ray did not start", "package 'cluster': x", "memory: ", "results: /proc"):
        assert f"FAULT {said}" in result.stdout
    assert "ok    compiler: none" in result.stdout


def test_every_node_of_a_cluster_in_a_line(quick, monkeypatch, tmp_path):
    reports = [
        NodeReport("a", FACTS, (), 0.1),
        NodeReport("b", FACTS, (fault("it does not see"),), 0.1),
    ]
    monkeypatch.setattr(doctor, "check_nodes", lambda results, packages: reports)
    result = invoke("doctor", "--cluster", "10.0.0.1:7")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "ok    a: ok: 8 cores, 32.0 GiB, 1 GPUs, 10 MB there and back in 0.10 s",
        "FAULT b: it does not see",
    ]
    assert list(Path("results").iterdir()) == []
