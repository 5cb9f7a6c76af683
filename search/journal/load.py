"""Load a study's state from its files alone, as every reader does, and as a driver begins."""

from dataclasses import dataclass, replace

from search.errors import JournalDamaged
from search.journal.events import Event, SpecChanged, StudyCreated
from search.journal.folder import StudyDir
from search.journal.journal import Prefix, read_journal
from search.journal.snapshot import Snapshot, read_snapshot
from search.journal.state import StudyState, replay


@dataclass(frozen=True)
class Loaded:
    """A study's state, and how much of the journal it stands for.

    Attributes:
        snapshot: what stood for the beginning of it; its own state has moved on with this one.
    """

    state: StudyState
    prefix: Prefix
    snapshot: Snapshot | None = None


def load(folder: StudyDir, before: Loaded | None = None) -> Loaded:
    """Load a study, whether or not a driver is at work, behind what was loaded ``before``.

    The study has the name of its folder, which may have been renamed or copied since.

    Raises:
        JournalDamaged: the journal is not what was written, or cannot be read.
    """
    try:
        begun = before or _from_snapshot(folder)
        prefix = begun.prefix if begun else Prefix()
        events = (_named(line.event, folder.name) for line in read_journal(folder.journal, prefix))
        state = replay(events, begun.state if begun else None)
        return Loaded(state, prefix, begun.snapshot if begun else None)
    except OSError as error:
        raise JournalDamaged(f"cannot read {folder.journal}: {error.strerror}") from error


def _from_snapshot(folder: StudyDir) -> Loaded | None:
    found = read_snapshot(folder)
    if found is None:
        return None
    return Loaded(found.state, replace(found.prefix, digest=found.prefix.digest.copy()), found)


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
    """Load a study's state; raise as ``load`` does."""
    return load(folder).state
