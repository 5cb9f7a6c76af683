"""A study on a running Ray cluster of two nodes, joined by its address."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cli_sandbox import Sandbox

pytestmark = pytest.mark.slow

RAY = Path(sys.executable).parent / "ray"


def can_hide_folders() -> bool:
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return (
        bool(shutil.which("unshare"))
        and subprocess.run(command, capture_output=True).returncode == 0
    )


class TwoNodes:
    """A head of one CPU, and a node of one CPU that sees nothing under ``hidden``.

    Each is a process of its own: this one may have imported Ray without a token.
    """

    def __init__(self, folder: Path) -> None:
        self.hidden = folder / "hidden"
        self.hidden.mkdir()
        self.temp = Path(tempfile.mkdtemp(prefix="two"))  # pytest's is too long for Ray's sockets
        head = f"{RAY} start --head --block --port=0 --include-dashboard=false --num-cpus=1"
        self.head = _start_node(f"exec {head} --temp-dir={self.temp} --disable-usage-stats")
        self.address = self._published_address()
        self.node = self._worker()
        self._wait_for(2)

    def _published_address(self) -> str:
        published = self.temp / "ray_current_cluster"
        for _ in range(300):
            if published.exists() and (address := published.read_text().strip()):
                return address
            time.sleep(0.1)
        raise TimeoutError("the head has not said where it listens")

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

    def _worker(self) -> subprocess.Popen[bytes]:
        start = f"exec {RAY} start --block --address={self.address} --num-cpus=1"
        if not can_hide_folders():
            return _start_node(f"{start} --disable-usage-stats")
        hidden = f"mount -t tmpfs tmpfs {self.hidden} && cd / && {start} --disable-usage-stats"
        return _start_node(
            f"exec unshare --mount sh -c '{hidden}'",
            {"SEQTUNE_CACHE": str(self.hidden / "own")},
        )

    def lose_node(self) -> None:
        """Kills all processes of the second node at once."""
        _kill_family(self.node)

    def stop(self) -> None:
        _kill_family(self.node)
        _kill_family(self.head)
        shutil.rmtree(self.temp)


def _start_node(script: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["sh", "-c", script],
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | (environment or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _kill_family(node: subprocess.Popen[bytes]) -> None:
    if node.poll() is not None:
        return
    for process in [*psutil.Process(node.pid).children(recursive=True), node]:
        process.kill()
    node.wait()


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TwoNodes]:
    from cluster.environment import NODE_ENVIRONMENT
    from cluster.token import ensure_token

    ensure_token()
    for name, value in NODE_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    nodes = TwoNodes(tmp_path)
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
