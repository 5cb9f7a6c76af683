"""Load a study's state from its files alone, as every reader does, and as a driver begins."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from search.errors import JournalDamaged
from search.journal.events import Event, SpecChanged, StudyCreated
from search.journal.folder import StudyDir
from search.journal.journal import Prefix, read_journal
from search.journal.snapshot import Kept, read_snapshot
from search.journal.state import StudyState, replay


@dataclass(frozen=True)
class Loaded:
    """A study's state, and how much of the journal it stands for.

    Attributes:
        kept: the snapshot's file of ended trials, where a snapshot stood for the beginning.
    """

    state: StudyState
    prefix: Prefix
    kept: Kept | None = None


def load(folder: StudyDir, before: Loaded | None = None) -> Loaded:
    """Load a study, whether or not a driver is at work.

    The study has the name of its folder, which may have been renamed or copied since. What was
    loaded ``before`` is taken over and moves on, if the journal still begins so.

    Raises:
        JournalDamaged: the journal is not what was written, or cannot be read.
    """
    try:
        with _nothing_collected():
            return _loaded(folder, before)
    except OSError as error:
        raise JournalDamaged(f"cannot read {folder.journal}: {error.strerror}") from error


def _loaded(folder: StudyDir, before: Loaded | None) -> Loaded:
    if before is not None and before.prefix.begins(folder.journal):
        return _read_on(folder, before)
    found = read_snapshot(folder)
    if found is not None:
        # Whatever may be wrong with a snapshot is no fault of the journal's.
        with suppress(JournalDamaged):
            return _read_on(folder, Loaded(found.state, found.prefix, found.kept))
    return _read_on(folder, None)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Let no objects be looked through for circles: of a million epochs all stay, and looking takes
    an eighth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _read_on(folder: StudyDir, begun: Loaded | None) -> Loaded:
    prefix = begun.prefix if begun else Prefix()
    events = (_named(line.event, folder.name) for line in read_journal(folder.journal, prefix))
    state = replay(events, begun.state if begun else None)
    return Loaded(state, prefix, begun.kept if begun else None)


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
