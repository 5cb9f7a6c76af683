"""One driver a study: a lock file that says who holds it, and that the holder is alive.

A kernel lock on the file (flock) is let go whatever becomes of its holder. But it may not reach
another machine, some file systems have none, and a frozen driver keeps its own. So the file also
holds a counter that its holder moves every two seconds. Whoever wants the study from another
machine watches the counter for a minute, by a clock of its own: no clocks are compared.

To take a study over is to put another file in the lock's place. A holder that slept through it
finds a file that is not its own, and ends itself.
"""

import errno
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from search.errors import StudyLocked
from search.journal.holder import Driver, content_of, driver_in, read_driver

#: How often a holder moves the counter.
BEAT_SECONDS = 2.0
#: A driver of another machine that has not moved it for so long is gone.
GONE_SECONDS = 60.0
#: Of two drivers that take a study over at once, the later one has it: each looks again after this.
SETTLE_SECONDS = 2.0

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


class Lock:
    """The lock of a study, in the hand of this process.

    Attributes:
        taken_over: whether its last holder has not signed off and may still run.
        in_kernel: whether the file system has locks; if not, only the counter guards the study.
    """

    def __init__(self, path: Path, descriptor: int, in_kernel: bool, taken_over: bool) -> None:
        self.path, self.in_kernel, self.taken_over = path, in_kernel, taken_over
        self._descriptor, self._driver, self._beat = descriptor, Driver.this(), 0
        self._written = b""
        self.beat()

    def is_held(self) -> bool:
        """Whether the file that lies there is still this process's own, and nobody else's too."""
        written = _content_if_same(self._descriptor, self.path)
        # What it wrote last, or, where a beat comes just now, whoever is named there.
        return written is not None and (
            written == self._written or driver_in(written) in (None, self._driver)
        )

    def beat(self) -> None:
        """Move the counter."""
        self._beat += 1
        content = json.dumps(asdict(self._driver) | {"beat": f"{self._beat:012d}"}).encode()
        os.pwrite(self._descriptor, content, 0)
        os.ftruncate(self._descriptor, len(content))
        self._written = content
        os.fdatasync(self._descriptor)

    def release(self, on_release: Callable[[], None]) -> None:
        """Sign off, unless another driver has the study now."""
        try:
            if self.is_held():
                os.ftruncate(self._descriptor, 0)
                on_release()
        finally:
            os.close(self._descriptor)


def is_same_file(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one that lies at ``path`` now.

    The path is opened for it: a network file system then asks its server, and trusts no memory.
    """
    return _content_if_same(descriptor, path, most=0) is not None


def _content_if_same(descriptor: int, path: Path, most: int = 4096) -> bytes | None:
    """Return the first bytes at ``path``, if the open file lies there; else None."""
    try:
        there = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        same = os.path.samestat(os.fstat(descriptor), os.fstat(there))
        return os.read(there, most) if same else None
    except OSError as error:
        if error.errno != errno.ESTALE:  # NFS: the open file has been replaced by another machine
            raise
        return None
    finally:
        os.close(there)


@contextmanager
def hold(path: Path, study: str, take_over: bool, on_release: Callable[[], None]) -> Iterator[Lock]:
    """Hold the lock for the length of the block; ``on_release`` runs while it is still held.

    Wait for up to a minute where a driver of another machine may be dead.

    Raises:
        StudyLocked: another driver holds it and is alive, or may be, and ``take_over`` is off.
    """
    lock = _claim(path, study, take_over)
    try:
        yield lock
    finally:
        lock.release(on_release)


def find_driver(path: Path) -> Driver | None:
    """Return the driver that holds the lock now, or None.

    Watch for its heartbeat where the kernel cannot tell: that takes a few seconds if it is dead.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        kernel = _flock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)
    driver = read_driver(path)
    if driver is None or kernel == "taken":
        return driver
    if driver.is_of_this_machine:
        return driver if kernel == "absent" and driver.is_running_here else None
    return driver if _beats(path, 2 * BEAT_SECONDS) else None


def _flock(descriptor: int, kind: int) -> Literal["got", "taken", "absent"]:
    """Ask the kernel for a lock, without waiting."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return "taken"
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return "absent"
    return "got"


def _claim(path: Path, study: str, take_over: bool) -> Lock:
    """Take the lock if nobody has it; wait for a reader that looks at it for a moment."""
    for patience in (0.2, 0.3, 0.5, 0.0):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        kernel, last = _flock(descriptor, fcntl.LOCK_EX), read_driver(path)
        released = last is None or last.is_of_this_machine
        if kernel == "got" and released and is_same_file(descriptor, path):
            return Lock(path, descriptor, in_kernel=True, taken_over=False)
        os.close(descriptor)
        if kernel == "taken" and last is not None and last.is_gone_from_here:
            time.sleep(patience)  # a reader looks at what a dead driver has left
            continue
        if last is not None and (kernel == "taken" or not released):
            _wait_until_gone(path, study, last, take_over)
            return _take_over(path, study)
        if kernel == "absent":
            if last is not None and last.is_running_here and not take_over:
                raise _running(study, last)
            return _take_over(path, study)
        time.sleep(patience)
    raise StudyLocked(f"study {study!r} is being begun by another driver; wait for it")


def _wait_until_gone(path: Path, study: str, last: Driver, take_over: bool) -> None:
    """Return once a driver that has not signed off is gone for certain.

    Raises:
        StudyLocked: it is alive.
    """
    if take_over or last.was_replaced_by(Driver.this()):
        return
    if last.is_of_this_machine or _beats(path, GONE_SECONDS):
        raise _running(study, last)


def _running(study: str, by: Driver) -> StudyLocked:
    return StudyLocked(
        f"study {study!r} is being run by {by}; wait for it, or stop it first. If it is dead or "
        "frozen for certain, take the study from it: resume with --take-over"
    )


def _beats(path: Path, seconds: float) -> bool:
    """Whether the counter moves within so many seconds."""
    before, deadline = content_of(path), time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.2)
        if content_of(path) != before:
            return True
    return False


def _take_over(path: Path, study: str) -> Lock:
    """Put a lock of this process in the place of the one that lies there.

    Raises:
        StudyLocked: another driver has done so at the same moment.
    """
    descriptor, beside = tempfile.mkstemp(prefix=".lock-", dir=path.parent)
    try:
        kernel = _flock(descriptor, fcntl.LOCK_EX)
        lock = Lock(path, descriptor, in_kernel=kernel == "got", taken_over=True)
        os.replace(beside, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(beside)
    time.sleep(SETTLE_SECONDS)
    if not lock.is_held():
        os.close(descriptor)
        raise StudyLocked(f"study {study!r} was taken over by another driver at the same moment")
    return lock
