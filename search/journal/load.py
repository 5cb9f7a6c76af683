"""Load a study's events and state from its journal alone, as every reader does."""

from search.errors import JournalDamaged
from search.journal.events import Event
from search.journal.folder import StudyDir
from search.journal.journal import read_events
from search.journal.state import StudyState, replay


def load_events(folder: StudyDir) -> list[Event]:
    """Load a study's events, whether or not a driver is at work.

    Raises:
        JournalDamaged: the journal is not what was written, or cannot be read.
    """
    try:
        return read_events(folder.journal)
    except OSError as error:
        raise JournalDamaged(f"cannot read {folder.journal}: {error.strerror}") from error


def load_state(folder: StudyDir) -> StudyState:
    """Load a study's state; raise as ``load_events`` does."""
    return replay(load_events(folder))
