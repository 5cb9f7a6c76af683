"""A study on a running Ray cluster of two nodes, joined by its address."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def seqtune(place: Path, *arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "search", *arguments],
        cwd=place,
        env=os.environ | {"SEQTUNE_CACHE": str(place / "cache"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


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
        if can_hide_folders():
            self.node = self._isolated_node()
        else:
            self.cluster.add_node(num_cpus=1)
            self.node = None
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

    def stop(self) -> None:
        if self.node is not None:
            subprocess.run(["pkill", "-g", str(self.node.pid)], check=False)
            self.node.kill()
            self.node.wait()
        self.cluster.shutdown()


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TwoNodes]:
    from cluster.connect import ENVIRONMENT
    from cluster.token import ensure_token

    ensure_token()
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "cache").mkdir()
    nodes = TwoNodes(tmp_path / "cache")
    yield nodes
    nodes.stop()


def test_trials_run_on_both_nodes(two_nodes, tables: dict[str, Any], tmp_path):
    """Two trials at a time need both nodes; the corpus is sent to the one that has it not."""
    tables["stopping"]["max_epochs"] = 40
    (tmp_path / "small.toml").write_text(tomli_w.dumps(tables))
    done = seqtune(tmp_path, "run", "small.toml", "--cluster", two_nodes.address)
    assert done.returncode == 0, done.stderr
    rows = json.loads(seqtune(tmp_path, "trials", "small", "--format", "json").stdout)
    assert len(rows) == 6
    assert all(row["state"] in ("completed", "pruned") for row in rows), rows
    assert all(row["failures"] == 0 for row in rows), rows
    running = most = 0
    for line in (tmp_path / "results/small/journal.jsonl").read_text().splitlines():
        event = json.loads(line)["event"]
        running += (event == "attempt") - (event == "end")
        most = max(most, running)
    assert most == 2


def test_nobody_at_the_address(tables: dict[str, Any], tmp_path):
    (tmp_path / "small.toml").write_text(tomli_w.dumps(tables))
    done = seqtune(tmp_path, "run", "small.toml", "--cluster", "127.0.0.1:1", timeout=60)
    assert done.returncode == 2
    assert "no Ray cluster answers at '127.0.0.1:1'" in done.stderr
    assert not (tmp_path / "results/small").exists()
