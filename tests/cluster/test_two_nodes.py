"""A study on a running Ray cluster of two nodes, joined by its address."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cli_sandbox import Sandbox

pytestmark = pytest.mark.slow


def can_hide_folders() -> bool:
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return (
        bool(shutil.which("unshare"))
        and subprocess.run(command, capture_output=True).returncode == 0
    )


class TwoNodes:
    """A head of one CPU, and a node of one CPU that sees nothing under ``hidden``."""

    def __init__(self, hidden: Path) -> None:
        from ray.cluster_utils import Cluster

        self.hidden = hidden
        self.cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
        )
        self.address: str = self.cluster.address
        self.node: subprocess.Popen[bytes] | None = None
        if can_hide_folders():
            self.node = self._isolated_node()
        else:
            self.cluster.add_node(num_cpus=1)
        self._wait_for(2)

    def _wait_for(self, count: int) -> None:
        code = (
            "import ray, sys; ray.init(address=sys.argv[1], logging_level='ERROR');"
            "print(sum(node['Alive'] for node in ray.nodes()))"
        )
        command = [sys.executable, "-c", code, self.address]
        for _ in range(10):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.stdout.strip() == str(count):
                return
        raise TimeoutError(f"the cluster has {done.stdout.strip()} nodes: {done.stderr}")

    def _isolated_node(self) -> subprocess.Popen[bytes]:
        ray = str(Path(sys.executable).parent / "ray")
        script = (
            f"mount -t tmpfs tmpfs {self.hidden} && cd / && exec {ray} start --block"
            f" --address={self.address} --num-cpus=1 --disable-usage-stats"
        )
        own_cache = {"SEQTUNE_CACHE": str(self.hidden / "own")}
        return subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script],
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | own_cache,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def lose_node(self) -> None:
        """Kills all processes of the second node at once."""
        if self.node is None:
            self.cluster.remove_node(self.cluster.worker_nodes.copy().pop(), allow_graceful=False)
            return
        for process in [*psutil.Process(self.node.pid).children(recursive=True), self.node]:
            process.kill()
        self.node.wait()

    def stop(self) -> None:
        if self.node is not None and self.node.poll() is None:
            self.lose_node()
        self.cluster.shutdown()


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TwoNodes]:
    from cluster.environment import NODE_ENVIRONMENT
    from cluster.token import ensure_token

    ensure_token()
    for name, value in NODE_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "cache").mkdir()
    nodes = TwoNodes(tmp_path / "cache")
    yield nodes
    nodes.stop()


@pytest.fixture
def place(tmp_path: Path, tables: dict[str, Any]) -> Sandbox:
    return Sandbox(tmp_path, tables)


def most_at_a_time(place: Sandbox) -> int:
    running = most = 0
    for event in place.events():
        running += (event.event == "attempt") - (event.event in ("end", "failure"))
        most = max(most, running)
    return most


def test_trials_run_on_both_nodes(two_nodes: TwoNodes, place: Sandbox) -> None:
    """Two trials at a time need both nodes; the corpus is sent to the one that has it not."""
    longer = "--set=stopping.max_epochs=40"
    place.run("run", "small.toml", "--cluster", two_nodes.address, longer)
    place.check(6)
    rows = place.trials()
    assert all(row["state"] in ("completed", "pruned") for row in rows), rows
    assert all(row["failures"] == 0 for row in rows), rows
    assert most_at_a_time(place) == 2


def test_trials_of_a_lost_node_move(two_nodes: TwoNodes, place: Sandbox) -> None:
    longer = ["--set=stopping.max_epochs=400", "--set=stopping.grace_epochs=400", "--trials=2"]
    process = place.start("run", "small.toml", "--cluster", two_nodes.address, *longer)
    place.wait_for_epochs(20)
    two_nodes.lose_node()
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    place.check(2)
    failures = [event for event in place.events() if event.event == "failure"]
    assert [failure.kind for failure in failures] == ["lost"]
    moved = place.trials()[failures[0].trial]
    assert (moved["state"], moved["attempts"], moved["failures"]) == ("completed", 2, 1)


def test_nobody_at_the_address(place: Sandbox) -> None:
    _, err = place.run("run", "small.toml", "--cluster", "127.0.0.1:1", code=2)
    assert "no Ray cluster answers at '127.0.0.1:1'" in err
    assert not place.study.root.exists()
