"""Several studies on one TensorBoard: links to their files, and one table of all their trials."""

from collections.abc import Sequence
from pathlib import Path

from search.errors import JournalDamaged
from search.journal.folder import StudyDir
from search.journal.load import load_state
from search.monitor import hparams
from search.monitor.event_files import EventFiles
from search.monitor.say import say


def join_boards(studies: Sequence[StudyDir], into: Path) -> None:
    """Make a folder of links to the studies' TensorBoard files, and describe them as one.

    A study whose journal is damaged is told and left out.
    """
    states = []
    for study in studies:
        try:
            states.append(load_state(study))
        except JournalDamaged as error:
            say(str(error))
            continue
        (into / study.name).symlink_to(study.tensorboard, target_is_directory=True)
    files = EventFiles(into)
    files.write(".", hparams.experiment(states))
    files.close_all()
