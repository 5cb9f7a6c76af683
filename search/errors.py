"""Errors of a search; the root of the tree is ``trainables.errors.SeqtuneError``."""

from trainables.errors import SeqtuneError


class SpecError(SeqtuneError):
    """A study file, an option or a space is wrong."""


class StudyNotFound(SeqtuneError):
    """No study of that name, or a study file that does not exist."""


class StudyExists(SeqtuneError):
    """The name is taken."""


class StudyLocked(SeqtuneError):
    """Another driver works on the study."""


class JournalDamaged(SeqtuneError):
    """The journal differs from what was written."""


class NoFiniteResult(SeqtuneError):
    """The search ended and no trial has a finite result."""

    exit_code = 3


class StudyFailed(SeqtuneError):
    """The search broke off; acknowledged epochs are safe."""

    exit_code = 1
