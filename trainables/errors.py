"""Errors that a user is meant to read, as one tree.

    SeqtuneError            2
    ├─ DataError            2
    ├─ TaskError            2
    ├─ DeviceError          2
    ├─ CheckpointError      1
    └─ search.errors
       ├─ SpecError         2
       ├─ StudyNotFound     2
       ├─ StudyExists       2
       ├─ StudyLocked       2
       ├─ JournalDamaged    2
       ├─ NoFiniteResult    3
       └─ StudyFailed       1

The number is the exit code. ``cluster.errors.ClusterError``, whose exit code is 2, is not in the
tree, because the package ``cluster`` imports neither ``trainables`` nor ``search``.

Every message says what is wrong, where, and what to do. The command line prints the message of such
an error and exits with its ``exit_code``. Any other exception is a defect and keeps its traceback.
"""


class SeqtuneError(Exception):
    """A problem that the user can solve; nothing was started unless a subclass says otherwise."""

    exit_code = 2


class DataError(SeqtuneError):
    """The data set cannot be read, or cannot be learnt from."""


class TaskError(SeqtuneError):
    """A task cannot be found, or its class lacks something that a task must have."""


class DeviceError(SeqtuneError):
    """This machine cannot compute as asked."""


class CheckpointError(SeqtuneError):
    """A checkpoint is missing, damaged, or does not belong to the model it is loaded into."""

    exit_code = 1


def did_you_mean(word: str, known: list[str]) -> str:
    """Return a hint about a misspelt ``word``: the nearest known word, or else all of them."""
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
