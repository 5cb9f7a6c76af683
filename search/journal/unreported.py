"""Epochs that a trial had finished, and not yet reported, when its process or its driver died.

Quick epochs are reported several at a time. Until then they are in a file beside the attempt's
checkpoints, so that only the epoch under way is repeated.
"""

from pydantic import ValidationError

from search.journal.folder import StudyDir
from search.journal.trial import Trial
from trainables.attempts.messages import Report


def read_unreported(folder: StudyDir, trial: Trial) -> list[Report]:
    """Read the epochs of the trial's present attempt that follow the journal's last.

    Reading ends at a torn line, at another attempt's, and at one whose checkpoint is gone.
    """
    path = folder.root / folder.unreported(trial.number, trial.attempts)
    if not path.exists():
        return []
    found: list[Report] = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            report = Report.model_validate_json(line)
        except ValidationError:
            break
        if report.epoch <= trial.epoch:
            continue
        if (report.number, report.attempt) != (trial.number, trial.attempts):
            break
        if not (folder.root / report.checkpoint.path).exists():
            break
        found.append(report)
    return found
