"""Why attempts end without a report: sorted by Ray's text, with the number of retries of each."""

from dataclasses import dataclass

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
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["unknown"]
    raised = any("ray::" in line for line in lines[:2])
    cause = lines[-1 if raised else 0]
    if hung:
        return Failure("hung", "no report within its deadline: killed", text)
    if any(sign in text for sign in _DISK):
        return f"a trial cannot write its checkpoint: {cause}. Make room"
    if any(sign in text for sign in _MEMORY):
        return Failure("memory", cause, text)
    return Failure("exception" if raised else "lost", cause, text)
