"""A study on a running Ray cluster of two nodes, joined by its address."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tomli_w

pytestmark = pytest.mark.slow


@pytest.fixture
def two_nodes(monkeypatch):
    from cluster.connect import ENVIRONMENT
    from cluster.token import ensure_token

    ensure_token()
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield cluster
    cluster.shutdown()


def test_trials_run_on_both_nodes(two_nodes, tables, tmp_path):
    """Two trials at a time need both nodes: each has one CPU."""
    (tmp_path / "small.toml").write_text(tomli_w.dumps(tables))
    environment = os.environ | {
        "SEQTUNE_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [sys.executable, "-m", "search"]
    done = subprocess.run(
        [*command, "run", "small.toml", "--cluster", two_nodes.address],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    listed = subprocess.run(
        [*command, "trials", "small", "--format", "json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    rows = json.loads(listed.stdout)
    assert len(rows) == 6 and all(row["state"] in ("completed", "pruned") for row in rows)
    journal = (tmp_path / "results/small/journal.jsonl").read_text().splitlines()
    running = most = 0
    for line in journal:
        event = json.loads(line)["event"]
        running += (event == "attempt") - (event == "end")
        most = max(most, running)
    assert most == 2


def test_nobody_at_the_address(tables, tmp_path):
    (tmp_path / "small.toml").write_text(tomli_w.dumps(tables))
    done = subprocess.run(
        [sys.executable, "-m", "search", "run", "small.toml", "--cluster", "127.0.0.1:1"],
        cwd=tmp_path,
        env=os.environ
        | {"SEQTUNE_CACHE": str(tmp_path / "c"), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert "no Ray cluster answers at '127.0.0.1:1'" in done.stderr
    assert not (tmp_path / "results/small").exists()
