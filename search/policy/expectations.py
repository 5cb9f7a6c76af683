"""What trials would come to at their ends, from how far they were trained.

A trial that was trained to its end has shown it. Another is taken to gain, from rung to rung, what
those gained that went on there; how much these differ is its uncertainty.

Legend: N trials.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from search.journal.state import StudyState
from search.journal.trial import Trial

Array = NDArray[np.float64]

#: Trials looked at, of the best and of the latest; all with the other runs of their configurations;
#: and of those that show how values go on.
_BEST, _LATEST, _MOST, _SHOWING = 80, 80, 240, 100

#: So many must have gone on from a rung to say what one gains there.
_FEWEST = 3


@dataclass(frozen=True)
class Expectations:
    """What is expected of trials.

    Attributes:
        trials: those that are looked at.
        costs_N: of each the cost that its best epoch would have at its end.
        variances_N: how uncertain that is, beside the chance of any training: 0 at the end.
        whole_N: whether it came to its end.
    """

    trials: list[Trial]
    costs_N: Array
    variances_N: Array
    whole_N: NDArray[np.bool_]


def expectations(state: StudyState) -> Expectations:
    """Return what is expected of the first, the best and the latest trials.

    One that failed, as those do that diverge, is not expected to come to anything.
    """
    valued = [
        trial
        for trial in state.comparable_trials()
        if trial.best_value is not None and trial.state != "failed"
    ]
    best = sorted(valued, key=lambda t: (_cost(state, t), t.number))[:_BEST]
    trials = _with_other_runs([*best, *valued[:1], *valued[-_LATEST:]], valued)
    rest = _Rest(state, valued)
    found = [(0.0, 0.0) if _is_whole(state, trial) else rest.after(trial.epoch) for trial in trials]
    costs = [_cost(state, trial) for trial in trials]
    return Expectations(
        trials,
        np.array([cost + change for cost, (change, _) in zip(costs, found, strict=True)]),
        np.array([variance for _, variance in found]),
        np.array([_is_whole(state, trial) for trial in trials], dtype=np.bool_),
    )


def _with_other_runs(chosen: Sequence[Trial], valued: Sequence[Trial]) -> list[Trial]:
    """Return the trials in number order, and all other runs of their configurations while there is
    room: those that are among the best are the lucky ones."""
    runs: dict[int, list[Trial]] = {}
    for trial in valued:
        runs.setdefault(trial.first, []).append(trial)
    seen = {trial.number: trial for trial in chosen}
    for trial in chosen:
        others = {other.number: other for other in runs[trial.first]}
        if len(seen | others) <= _MOST:
            seen |= others
    return [seen[number] for number in sorted(seen)]


def _is_whole(state: StudyState, trial: Trial) -> bool:
    """Whether a trial was trained to its end, and would not be trained further now."""
    epochs = trial.spec.stopping.max_epochs
    return trial.state == "completed" and epochs >= state.spec.stopping.max_epochs


def _cost(state: StudyState, trial: Trial) -> float:
    value = trial.best_value
    return float("inf") if value is None else state.objective.cost(value)


def _cost_until(state: StudyState, trial: Trial, epoch: int) -> float:
    """Return the cost of a trial's best epoch up to one; infinite where none is finite."""
    if epoch >= trial.epoch:
        return _cost(state, trial)
    values = map(trial.epochs.value, range(epoch))
    costs = (state.objective.cost(value) for value in values if value is not None)
    return min(costs, default=float("inf"))


class _Rest:
    """What the best cost changes by beyond an epoch."""

    def __init__(self, state: StudyState, valued: Sequence[Trial]) -> None:
        self._state, self._valued = state, valued
        self._stages = (*state.rungs.epochs, state.spec.stopping.max_epochs)
        firsts = [_cost_until(state, trial, self._stages[0]) for trial in valued[-_SHOWING:]]
        known = [cost for cost in firsts if cost < float("inf")]
        self._spread = float(np.var(known)) if known else 0.0
        self.after = cache(self._after)

    def _after(self, reached: int) -> tuple[float, float]:
        """Return the change from an epoch to the end, and its variance."""
        change, variance, link = 0.0, 0.0, (0.0, self._spread)
        for stage in self._stages:
            if stage > reached:
                # Where few went on yet, half of what came between the rungs before.
                link = self._between(reached, stage) or (0.5 * link[0], link[1])
                change, variance, reached = change + link[0], variance + link[1], stage
        return change, variance

    def _between(self, begin: int, end: int) -> tuple[float, float] | None:
        # Some have ended in between, for they got no better.
        went = [
            trial
            for trial in self._valued
            if trial.epoch >= end or (trial.state == "completed" and trial.epoch >= begin)
        ][-_SHOWING:]
        both = [
            (_cost_until(self._state, t, begin), _cost_until(self._state, t, end)) for t in went
        ]
        changes = [after - before for before, after in both if before < float("inf")]
        if len(changes) < _FEWEST:
            return None
        # Three that gained alike do not show that all do: one more is supposed that gained nothing.
        return float(np.mean(changes)), float(np.var([*changes, 0.0], ddof=1))
