"""Whole searches over a surface instead of a training, through the real recorder."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.study_harness import StudyHarness
from trainables.attempts.messages import Assignment

#: A trial's value after an epoch, by its parameters and its number.
Value = Callable[[dict[str, Any], int, int], float]


def pausing(tables: dict[str, Any], sampler: str, trials: int = 24) -> dict[str, Any]:
    """Pause losers: of those at a rung a third goes on, to four epochs at most."""
    tables["stopping"] |= {"losers": "pause", "max_epochs": 4, "reduction_factor": 3}
    tables["search"] |= {"trials": trials, "sampler": sampler}
    return tables


def study(tmp_path: Path, tables: dict[str, Any], total: int = 24) -> StudyHarness:
    """Begin a study of so many trials."""
    tables["search"]["trials"] = total
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=total)
    return harness


def search(harness: StudyHarness, value: Value, until: int | None = None) -> None:
    """Train whatever is handed out, one after the other; to the end, or until so many trials."""
    state = harness.study.state
    while isinstance(work := harness.study.next(), Assignment):
        trial = state.trials[work.number]
        if until is not None and work.number >= until:
            return
        going_on = True
        while going_on:
            reached = value(trial.params, work.number, trial.epoch + 1)
            going_on = harness.report(work, trial.epoch + 1, reached, loss=reached)


def hill(noise: float = 0.0, width: float = 1.0) -> Value:
    """Accuracy is best at a learning rate of 0.01 and does not depend on dropout; a trial has its
    own luck, and gains with every epoch."""

    def value(params: dict[str, Any], number: int, epoch: int) -> float:
        off = math.log10(params["learning_rate"]) + 2.0
        luck = np.random.default_rng(number).normal(0.0, noise) if noise else 0.0
        return 0.9 - 0.1 * (off / width) ** 2 - 0.05 / epoch + float(luck)

    return value
