"""Keeps what others print in this process out of the terminal.

Ray prints from several places, C++ among them: twenty lines of a stack where a node was cut off.
While a search runs, the process's standard output and error lead to a log. What we say ourselves
goes where standard error led before.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

_ours: TextIO | None = None


def for_people() -> TextIO:
    """Return the stream that people read."""
    return _ours or sys.stderr


@contextmanager
def others_to(log: Path) -> Iterator[None]:
    """Send what others print to ``log`` for the length of the block; no empty log is left.

    Where a program around this one has put streams of its own in place, those stay.
    """
    global _ours
    log.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    _flush()
    before = [os.dup(number) for number in (1, 2)]
    for number in (1, 2):
        os.dup2(descriptor, number)
    if _is_file(sys.stderr):
        _ours = open(  # noqa: SIM115 - closed at the end of the block
            before[1], "w", buffering=1, encoding=sys.stderr.encoding, errors=sys.stderr.errors
        )
    try:
        yield
    finally:
        _flush()
        for number, old in enumerate(before, start=1):
            os.dup2(_ours.fileno() if _ours and number == 2 else old, number)
        if _ours:
            _ours.close()
            before.pop()
        _ours = None
        for one in (descriptor, *before):
            os.close(one)
        _tidy(log)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def _is_file(stream: TextIO) -> bool:
    try:
        stream.fileno()
    except OSError:
        return False
    return True


def _tidy(log: Path) -> None:
    """Remove a log that holds nothing, and its folder if that holds nothing else."""
    if log.exists() and log.stat().st_size == 0:
        log.unlink()
    with suppress(OSError):  # it has other logs
        log.parent.rmdir()
