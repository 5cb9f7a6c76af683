"""Which nodes have joined or left a cluster since it was looked at last."""

import time
from typing import Any

#: Seconds between two looks.
LOOK_SECONDS = 2.0


class Membership:
    """Follows the nodes of the cluster that this process is connected to."""

    def __init__(self) -> None:
        """Take the nodes that are there now for known."""
        self._alive = _nodes(alive=True)
        self._looked = time.monotonic()

    def changes(self) -> list[str]:
        """Return a line for each node that has come or gone; look at most every two seconds."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return []
        alive, dead = _nodes(alive=True), _nodes(alive=False)
        self._looked = time.monotonic()
        lines = [
            f"node {name} has left the cluster{_why(dead.get(key, {}))}; its trials go on elsewhere"
            for key, name in _names(self._alive).items()
            if key not in alive
        ]
        lines += [
            f"node {name} has joined the cluster"
            for key, name in _names(alive).items()
            if key not in self._alive
        ]
        self._alive = alive
        return lines


def _nodes(alive: bool) -> dict[str, dict[str, Any]]:
    import ray

    found: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return {node["NodeID"]: node for node in found if node["Alive"] == alive}


def _names(nodes: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {key: node.get("NodeName") or node["NodeManagerAddress"] for key, node in nodes.items()}


def _why(node: dict[str, Any]) -> str:
    """Return the first sentence of Ray's reason, if it gives one."""
    reason = str(node.get("DeathReasonMessage") or "").strip()
    return f" ({reason.splitlines()[0].split('. ')[0].rstrip('.')})" if reason else ""
