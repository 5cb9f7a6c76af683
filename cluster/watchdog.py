"""Notices that Ray itself has died; Ray would hang, or end the process without a word."""

import os
import socket
import threading
from collections.abc import Callable
from typing import Any

#: Ray's own verdict takes a minute, and then no handler runs.
CHECK_SECONDS = 2.0
MISSES = 3


class Watchdog:
    """Knocks at the cluster's control service and at this machine's raylet, in a thread."""

    def __init__(self, on_death: Callable[[str], None]) -> None:
        """``on_death`` is called once, in the thread, with what has died."""
        self._on_death = on_death
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="ray-watchdog", daemon=True)

    def __enter__(self) -> "Watchdog":
        import ray

        node: Any = ray._private.worker.global_worker.node
        self._gcs: str = ray.get_runtime_context().gcs_address
        self._raylet: str = node.raylet_socket_name
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()

    def _watch(self) -> None:
        missed = {"the cluster's head (GCS)": 0, "this machine's raylet": 0}
        while not self._over.wait(CHECK_SECONDS):
            alive = (_tcp_answers(self._gcs), _socket_answers(self._raylet))
            for name, answers in zip(missed, alive, strict=True):
                missed[name] = 0 if answers else missed[name] + 1
                if missed[name] >= MISSES and not self._over.is_set():
                    self._on_death(f"{name} is gone")
                    return


def _tcp_answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CHECK_SECONDS).close()
    except OSError:
        return False
    return True


def _socket_answers(path: str) -> bool:
    if not os.path.exists(path):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CHECK_SECONDS)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True
