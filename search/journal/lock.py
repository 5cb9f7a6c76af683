"""One driver a study: a kernel lock on a file that says who holds it.

The kernel lets go of the lock whatever becomes of the holder. A driver of another host that never
signed off may be alive behind a file system that carries no locks; only the user knows.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from search.errors import StudyLocked


@dataclass(frozen=True)
class Driver:
    """The driver that holds, or last held, a study."""

    pid: int
    host: str


@contextmanager
def hold(path: Path, study: str, take_over: bool, on_release: Callable[[], None]) -> Iterator[None]:
    """Hold the lock for the length of the block; ``on_release`` runs while it is still held.

    Raises:
        StudyLocked: another driver holds it; or one of another host may, and ``take_over`` is off.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor, path, study)
        last = _written_driver(path)
        if last is not None and last.host != socket.gethostname() and not take_over:
            raise StudyLocked(
                f"study {study!r} was last run by process {last.pid} on {last.host}, which has not "
                "signed off; if it is dead, resume with --take-over"
            )
        os.ftruncate(descriptor, 0)
        content = json.dumps({"pid": os.getpid(), "host": socket.gethostname()})
        os.pwrite(descriptor, content.encode(), 0)
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)
            on_release()
    finally:
        os.close(descriptor)


def find_driver(path: Path) -> Driver | None:
    """Return the driver that holds the lock now, or None."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _written_driver(path)
    finally:
        os.close(descriptor)
    return None


def _lock(descriptor: int, path: Path, study: str) -> None:
    """Take the lock; wait for a reader that looks at it for a moment."""
    for patience in (0.2, 0.3, 0.5, 0.0):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(patience)
            continue
        if path.exists() and _is(descriptor, path):
            return
        break  # its last holder has removed the file: whoever comes next makes a new one
    owner = _written_driver(path)
    by = f" by process {owner.pid} on {owner.host}" if owner else ""
    raise StudyLocked(f"study {study!r} is being run{by}; wait for it, or stop it first")


def _is(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one that lies there now."""
    return os.path.samestat(os.fstat(descriptor), path.stat())


def _written_driver(path: Path) -> Driver | None:
    try:
        content = json.loads(path.read_text())
        return Driver(int(content["pid"]), str(content["host"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
