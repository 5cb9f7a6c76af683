"""Sorts the end of an attempt by what Ray wrote of it."""

from search.study import Failure

_MEMORY = (
    "OutOfMemory",
    "running low on memory",
    "MemoryError",
    "not enough memory",
    "can't allocate memory",
)
_DISK = ("No space left on device", "Disk quota exceeded")


def read_failure(text: str, hung: bool = False) -> Failure | str:
    """A failure of this attempt alone; or, as a string, a cause that stops the whole study.

    An exception's text holds the task's traceback, whose first lines name a ``ray::`` function; a
    lost worker's does not.
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
