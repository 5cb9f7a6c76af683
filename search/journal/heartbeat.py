"""The thread of a driver that holds a study: it says that the driver is alive, and looks for word.

It moves the lock's counter, sees that another driver has taken the study over, and sees the file
that asks the driver to leave.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from search.journal.holder import Driver, read_driver
from search.journal.lock import BEAT_SECONDS, Lock

#: How often the thread looks; a study stops within two seconds of being asked.
LOOK_SECONDS = 0.5


class Listener(Protocol):
    """Who is told; called in the heartbeat's thread, each at most once."""

    def taken_over(self, by: Driver | None) -> None:
        """Another driver has the study: write nothing more, and leave."""

    def asked_to_stop(self) -> None:
        """Somebody wants this driver to leave."""


@contextmanager
def beating(lock: Lock, stop_file: Path, listener: Listener | None) -> Iterator[None]:
    """Keep a lock alive for the length of the block."""
    over = threading.Event()
    thread = threading.Thread(
        target=_beat, args=(lock, stop_file, listener, over), name="heartbeat", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _beat(lock: Lock, stop_file: Path, listener: Listener | None, over: threading.Event) -> None:
    due, asked = time.monotonic(), False
    while not over.wait(LOOK_SECONDS):
        with suppress(OSError):  # a network folder that is away for a moment costs a beat
            if not lock.is_held():
                if listener is not None:
                    listener.taken_over(read_driver(lock.path))
                return
            if time.monotonic() >= due:
                lock.beat()
                due = time.monotonic() + BEAT_SECONDS
            if not asked and stop_file.exists():
                asked = True
                if listener is not None:
                    listener.asked_to_stop()
