"""Time to take up a study of 500 ended trials: replay, sampler, TensorBoard and checkpoint keeping.

``python tests/benchmarks/resume.py``; the journal is written by the real study over made-up
reports, then opened as ``seqtune resume`` opens it. A fresh study of no trials is opened beside.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from verdict import Figure, conclude, spread

from search.driver.retention import CheckpointKeeper
from search.errors import JournalDamaged
from search.journal.folder import StudyDir
from search.journal.journal import read_events
from search.journal.state import replay
from search.monitor.tensorboard import TensorBoardWriter
from search.policy.samplers.registry import TrialChooser
from tests.study_harness import StudyHarness
from trainables.attempts.messages import Assignment

TARGET = "<=5"


def tables(trials: int) -> dict:
    return {
        "name": "bench",
        "data": {"source": "imdb"},
        "space": {
            "hidden_size": [32, 64, 128],
            "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
            "dropout": {"low": 0.0, "high": 0.5},
        },
        "search": {"trials": trials, "sampler": "random"},
        "stopping": {"max_epochs": 10},
    }


def write_study(folder: Path, trials: int) -> int:
    """Plays a whole study; returns its journal's lines."""
    harness = StudyHarness(folder, tables(max(trials, 1)))
    harness.crash_and_reopen(total=max(trials, 1))
    rng = random.Random(0)
    while trials and isinstance(work := harness.study.next(), Assignment):
        level = rng.uniform(0.5, 0.9)
        epoch = 1
        while harness.report(work, epoch, level + 0.01 * epoch):
            epoch += 1
    harness.journal.close()
    return len(harness.events())


def open_study(folder: StudyDir) -> float:
    """Seconds until the first trial could be handed out."""
    started = time.perf_counter()
    events = read_events(folder.journal)
    if not events:
        raise JournalDamaged("empty")
    state = replay(events)
    board = TensorBoardWriter(folder, state)
    CheckpointKeeper(folder, state, keep_best=10)
    for event in events:
        board(event, state)
    board.close()
    TrialChooser().choose(state)
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer trials, judges nothing")
    quick = parser.parse_args().quick
    trials, repeats = (50, 2) if quick else (500, 5)
    with tempfile.TemporaryDirectory() as place:
        lines = {}
        for name, count in (("full", trials), ("fresh", 0)):
            (Path(place) / name).mkdir()
            lines[name] = write_study(Path(place) / name, count)
        seconds = {
            name: [open_study(StudyDir(Path(place) / name)) for _ in range(repeats)]
            for name in lines
        }
    full, fresh = (statistics.median(seconds[name]) for name in ("full", "fresh"))
    print(
        f"{trials} trials, {lines['full']} lines: {spread(seconds['full'])} s; fresh: {fresh:.2f} s"
    )
    figures = {"extra_seconds": Figure(full - fresh, TARGET)}
    return conclude("resume", figures, quick)


if __name__ == "__main__":
    sys.exit(main())
