"""Former studies that a new one begins with."""

from pathlib import Path

from search.driver.changes import declared
from search.errors import JournalDamaged, SpecError, StudyNotFound
from search.journal.events import WarmStarted
from search.journal.folder import StudyDir, open_study_dir
from search.journal.load import load_state
from search.journal.state import StudyState
from search.spec.study import StudySpec
from trainables.errors import SeqtuneError


def recall_former(spec: StudySpec, results: Path) -> tuple[WarmStarted, ...]:
    """Return what a new study takes from those that it names.

    Raises:
        SeqtuneError: there is no such study, or nothing of it can be used.
    """
    if not spec.search.warm_start:
        return ()
    from search.policy.samplers.recall import recall

    folders = [_folder(name, results) for name in spec.search.warm_start]
    if len({folder.root.resolve() for folder in folders}) < len(folders):
        raise SpecError("search.warm_start names a study twice")
    return tuple(recall(spec, declared(spec), _loaded(folder)) for folder in folders)


def still_to_recall(state: StudyState, results: Path) -> tuple[WarmStarted, ...]:
    """Return what a study that was killed as it was created has not yet taken from others.

    Raises:
        SeqtuneError: see ``recall_former``.
    """
    if state.session is not None or len(state.former) == len(state.spec.search.warm_start):
        return ()
    return recall_former(state.spec, results)[len(state.former) :]


def _folder(name: str, results: Path) -> StudyDir:
    """Return a study's folder, by its name or, with a slash in it, by its path."""
    try:
        if "/" not in name:
            return open_study_dir(results, name)
        folder = StudyDir(Path(name).expanduser().absolute())
        if folder.exists():
            return folder
    except (SeqtuneError, RuntimeError, ValueError) as error:  # no such user; a NUL
        raise StudyNotFound(f"search.warm_start = {name!r}: {error}") from error
    raise StudyNotFound(f"search.warm_start: there is no study in {folder.root}")


def _loaded(folder: StudyDir) -> StudyState:
    try:
        return load_state(folder)
    except JournalDamaged as error:
        raise JournalDamaged(f"search.warm_start: study in {folder.root}: {error}") from error
