"""Which folder a MODEL on the command line means."""

from pathlib import Path

from search.errors import StudyNotFound
from search.journal.folder import StudyDir
from search.program import study_command
from trainables.serving.folder import CONFIG


def find_model(name: str, results: Path) -> Path:
    """Return a model's folder, given by its path, or by the study that it was finalised from.

    Raises:
        StudyNotFound: there is neither.
    """
    path = Path(name).expanduser()
    if (path / CONFIG).is_file():
        return path
    study = StudyDir(results / name)
    of_study = study.model
    if "/" not in name and (of_study / CONFIG).is_file():
        return of_study
    if "/" not in name and study.exists():
        raise StudyNotFound(
            f"study {name!r} has no model yet: {study_command('finalize', name, results)}, or a "
            f"trial's with {study_command('export', name, results, '--trial', 'N')}"
        )
    raise StudyNotFound(f"no model in {str(path)!r}, and no study of that name in {results}")
