"""A whole small study with real trainings and checkpoints, in this process and without Ray."""

from pathlib import Path
from typing import Any

from search.driver.changes import describe_session
from search.driver.preparation import prepare_study
from search.driver.recorder import StudyRecorder
from search.driver.retention import CheckpointKeeper
from search.driver.session import creation
from search.journal.folder import StudyDir
from search.journal.journal import Journal
from search.journal.state import replay
from search.spec.resolve import resolve
from trainables.attempts.attempt import begin, next_epochs
from trainables.attempts.messages import Assignment
from trainables.storage import Cache


def train_study(folder: Path, tables: dict[str, Any], cache: Cache) -> StudyDir:
    """Search to the end, one trial after the other."""
    spec = resolve(tables, "x")
    prepared = prepare_study(spec, cache)
    study = StudyDir(folder)
    study.root.mkdir(parents=True)
    journal = Journal(study.journal)
    first = creation(spec, prepared)
    journal.append(first)
    state = replay([first])
    recorder = StudyRecorder(study, journal, state, prepared)
    recorder.begin(
        describe_session(spec, prepared, spec.search.trials, spec.resources), spec.resources
    )
    recorder.follow(CheckpointKeeper(study, state, spec.resources.keep_best))
    while isinstance(work := recorder.next(), Assignment):
        attempt = begin(work, Path(work.data))
        while recorder.report(next_epochs(attempt, 0.0)):
            pass
    recorder.end("finished")
    journal.close()
    return study
