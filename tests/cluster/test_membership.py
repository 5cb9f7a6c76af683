"""Nodes that leave and join are told in a line each."""

import pytest
import ray

from cluster import membership
from cluster.membership import Membership


def node(key: str, alive: bool = True, why: str = "") -> dict[str, object]:
    return {"NodeID": key, "NodeName": f"host-{key}", "Alive": alive, "DeathReasonMessage": why}


@pytest.fixture
def nodes(monkeypatch):
    now = [node("a"), node("b")]
    monkeypatch.setattr(ray, "nodes", lambda: now)
    monkeypatch.setattr(membership, "LOOK_SECONDS", 0.0)
    return now


def test_who_leaves_and_who_joins(nodes):
    members = Membership()
    assert members.changes() == []
    nodes[1:] = [node("b", alive=False, why="health check failed. Details follow"), node("c")]
    assert members.changes() == [
        "node host-b has left the cluster (health check failed); its trials go on elsewhere",
        "node host-c has joined the cluster",
    ]
    assert members.changes() == []
    nodes[:] = [node("a")]
    assert members.changes() == [
        "node host-c has left the cluster; its trials go on elsewhere",
    ]


def test_not_at_every_step(nodes, monkeypatch):
    monkeypatch.setattr(membership, "LOOK_SECONDS", 60.0)
    members = Membership()
    nodes[1:] = []
    assert members.changes() == []
