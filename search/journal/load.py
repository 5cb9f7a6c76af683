"""Load a study's events and state from its journal alone, as every reader does."""

from search.errors import JournalDamaged
from search.journal.events import Event, SpecChanged, StudyCreated
from search.journal.folder import StudyDir
from search.journal.journal import read_events
from search.journal.state import StudyState, replay


def load_events(folder: StudyDir) -> list[Event]:
    """Load a study's events, whether or not a driver is at work.

    The study has the name of its folder, which may have been renamed or copied since.

    Raises:
        JournalDamaged: the journal is not what was written, or cannot be read.
    """
    try:
        return [_named(event, folder.name) for event in read_events(folder.journal)]
    except OSError as error:
        raise JournalDamaged(f"cannot read {folder.journal}: {error.strerror}") from error


def _named(event: Event, name: str) -> Event:
    """Return an event of a study of this name."""
    match event:
        case StudyCreated(name=old) if old != name:
            return event.model_copy(update={"name": name, "spec": event.spec | {"name": name}})
        case SpecChanged() if event.spec["name"] != name:
            return event.model_copy(update={"spec": event.spec | {"name": name}})
        case _:
            return event


def load_state(folder: StudyDir) -> StudyState:
    """Load a study's state; raise as ``load_events`` does."""
    return replay(load_events(folder))
