"""Connects this process to Ray and lets go of it again."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.environment import prepare_environment
from cluster.errors import ClusterError
from cluster.kinds.base import ClusterKind, Node, StartRequest


def offered(cluster: ClusterKind, request: StartRequest) -> list[Node]:
    """Return the nodes that a cluster will have, as far as that is known before it starts."""
    prepare_environment(loopback_only=cluster.is_this_machine)
    return cluster.offer(request)


@contextmanager
def connect(cluster: ClusterKind, request: StartRequest) -> Iterator[list[Node]]:
    """A connected Ray for the length of the block, and the nodes it has now.

    Raises:
        ClusterError: the cluster cannot be reached or started, or Ray runs here already.
    """
    prepare_environment(loopback_only=cluster.is_this_machine)
    import ray

    if ray.is_initialized():
        raise ClusterError("Ray runs in this process already: call ray.shutdown() first")
    logging.getLogger("ray").setLevel(logging.ERROR)
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with cluster.running(request):
            yield _nodes()
    finally:
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray has put one of its own there


def _nodes() -> list[Node]:
    import ray

    alive = [n["Resources"] for n in ray.nodes() if n["Alive"]]  # type: ignore[no-untyped-call]
    return [
        Node(int(has.get("CPU", 0)), int(has.get("GPU", 0)), has.get("memory", 0.0))
        for has in alive
    ]
