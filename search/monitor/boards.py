"""Several studies on one TensorBoard: links to their files, and one table of all their trials."""

from collections.abc import Sequence
from pathlib import Path

from search.journal.folder import StudyDir
from search.journal.load import load_state
from search.monitor import hparams
from search.monitor.event_files import EventFiles


def join_boards(studies: Sequence[StudyDir], into: Path) -> None:
    """Make a folder of links to the studies' TensorBoard files, and describe them as one.

    Raises:
        JournalDamaged: a study cannot be read.
    """
    states = [load_state(study) for study in studies]
    for study in studies:
        (into / study.name).symlink_to(study.tensorboard, target_is_directory=True)
    files = EventFiles()
    files.write(into, hparams.experiment(states))
    files.close_all()
