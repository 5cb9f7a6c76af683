"""Why attempts end without a report: sorted by Ray's text, with the number of retries of each."""

from dataclasses import dataclass
from textwrap import shorten

from search.journal.events import FailureKind

_MEMORY = (
    "OutOfMemory",
    "out of memory",
    "ALLOC_FAILED",  # cuBLAS and cuDNN
    "running low on memory",
    "MemoryError",
    "not enough memory",
    "can't allocate memory",
)
#: Of a cause, which stands in tables and lines; the log of the trial has the whole.
_MOST_LETTERS = 500

_DISK = ("No space left on device", "Disk quota exceeded")

#: Retries of an attempt by the reason of its end, where fewer than ``max_failures``. An exception
#: would only repeat itself, since trials are deterministic.
_RETRIES: dict[FailureKind, int] = {"memory": 1, "exception": 0}


@dataclass(frozen=True)
class Failure:
    """Why an attempt ended without a report."""

    kind: FailureKind
    cause: str
    detail: str


def retries(kind: FailureKind, max_failures: int) -> int:
    """Return how often an attempt that ended for this reason is tried again."""
    return min(_RETRIES.get(kind, max_failures), max_failures)


def read_failure(text: str, hung: bool = False) -> Failure | str:
    """Return a failure of this attempt alone; or, as a string, a cause that stops the whole study.

    An exception's text is the task's traceback, whose first lines name a ``ray::`` function. The
    text of a lost worker has none.
    """
    text = text.encode("utf-8", "replace").decode()  # of a file's name, it may be no text
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["unknown"]
    raised = any("ray::" in line for line in lines[:2])
    cause = shorten(lines[-1 if raised else 0], _MOST_LETTERS, placeholder=" …")
    if hung:
        return Failure("hung", "no report within its deadline: killed", text)
    if any(sign in text for sign in _DISK):
        return f"a trial cannot write its checkpoint: {cause}. Make room"
    if any(sign in text for sign in _MEMORY):
        return Failure("memory", cause, text)
    return Failure("exception" if raised else "lost", cause, text)
