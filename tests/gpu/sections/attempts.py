"""An attempt's epochs as a search has them: training, evaluation and checkpoint, to the report."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.builders import make_assignment
from tests.gpu.record import Figures
from tests.gpu.setting import LECTURES, TOKENS, Setting
from trainables.attempts.attempt import Attempt, begin, next_epochs
from trainables.attempts.immediate import ImmediateExecutor
from trainables.data.part import ARRAYS
from trainables.tasks.declaration import TrialInputs

#: Texts of the validation part, and the epochs that are timed.
_VALIDATION, _EPOCHS = 2500, 5


@contextmanager
def corpus_of(setting: Setting, texts: int) -> Iterator[Path]:
    """Put so many of the setting's texts where an attempt opens them; then remove them."""
    with TemporaryDirectory(prefix="corpus-", dir=setting.out) as name:
        folder = Path(name)
        for part, count in {"train": texts, "validation": _VALIDATION}.items():
            (folder / part).mkdir()
            for array in ARRAYS:
                np.save(folder / part / array, getattr(setting.texts(count), array))
        about = {"classes": ["a", "b"], "vocabulary": setting.vocabulary}
        about |= {"sizes": {}, "unknown": 0.0, "notes": []}
        (folder / "corpus.json").write_text(json.dumps(about))
        yield folder


def time_attempt(setting: Setting, corpus: Path, batch: int, precision: str) -> Figures:
    """Return seconds of an epoch with the writer's thread running, and with checkpoints in line.

    On a CPU they are in line both times.
    """
    attempt = _begun(setting, corpus, batch, precision)
    behind = attempt.storing
    next_epochs(attempt, 0.0)  # it sets up what it needs
    try:
        return {
            "attempt epoch_s": round(_seconds(attempt, behind), 3),
            "attempt in line epoch_s": round(_seconds(attempt, ImmediateExecutor()), 3),
        }
    finally:
        behind.shutdown()


def _begun(setting: Setting, corpus: Path, batch: int, precision: str) -> Attempt:
    assignment = make_assignment(
        corpus,
        corpus,  # its checkpoints are removed with it
        hyperparameters=LECTURES | {"batch_size": batch},
        max_epochs=1 + 2 * _EPOCHS,
        rungs=(1, 1 + _EPOCHS),
        inputs=TrialInputs(settings={"max_tokens": TOKENS, "keep": "end"}),
        gpus=0.0 if setting.device == "cpu" else 1.0,
        precision=precision,
    )
    return begin(assignment, corpus)


def _seconds(attempt: Attempt, storing: Executor) -> float:
    """Return the seconds of each of the epochs that are reported together at the next rung."""
    attempt.storing, started = storing, time.perf_counter()
    reports = next_epochs(attempt, 3600.0)
    seconds = time.perf_counter() - started
    assert len(reports) == _EPOCHS, "they are written behind one another's training"
    return seconds / _EPOCHS
