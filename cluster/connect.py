"""Connects this process to Ray and lets go of it again."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

from cluster.environment import prepare_environment
from cluster.errors import ClusterError
from cluster.kinds.base import ClusterKind, Node, StartRequest


def offered(cluster: ClusterKind, request: StartRequest) -> list[Node]:
    """Return the nodes that a cluster will have, as far as that is known before it starts."""
    prepare_environment(loopback_only=cluster.is_this_machine)
    return cluster.offer(request)


class _Kept:
    """A connection that outlasts the session that has made it."""

    def __init__(self) -> None:
        self.stack, self.is_open = ExitStack(), False


#: The connection that this thread's sessions share; None where each makes its own.
_KEPT: ContextVar[_Kept | None] = ContextVar("kept", default=None)


@contextmanager
def kept_connected() -> Iterator[None]:
    """Let all sessions in the block share the cluster that the first of them connects to: to start
    Ray takes seconds, and nodes over ssh more."""
    kept = _Kept()
    token = _KEPT.set(kept)
    with kept.stack:
        try:
            yield
        finally:
            _KEPT.reset(token)


def is_connected() -> bool:
    """Whether an earlier session has kept its connection for this one."""
    kept = _KEPT.get()
    return kept is not None and kept.is_open


@contextmanager
def connect(cluster: ClusterKind, request: StartRequest) -> Iterator[list[Node]]:
    """A connected Ray for the length of the block, or of ``kept_connected``, and the nodes it has
    now.

    Raises:
        ClusterError: the cluster cannot be reached or started, or Ray runs here already.
    """
    kept = _KEPT.get()
    if kept is None:
        with _connected(cluster, request):
            yield _nodes()
        return
    if not kept.is_open:
        kept.stack.enter_context(_connected(cluster, request))
        kept.is_open = True
    yield _nodes()


@contextmanager
def _connected(cluster: ClusterKind, request: StartRequest) -> Iterator[None]:
    prepare_environment(loopback_only=cluster.is_this_machine)
    import ray

    if ray.is_initialized():
        raise ClusterError("Ray runs in this process already: call ray.shutdown() first")
    logging.getLogger("ray").setLevel(logging.ERROR)
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with cluster.running(request):
            yield
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
