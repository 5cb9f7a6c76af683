"""An Optuna study's trials, as the sampler reads them.

Legend: N trials, K rungs; the last is the end of the training.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from search.policy.samplers.epoch_aware.ranks import Progress

#: Where a trial may carry how many seconds a step took; else that follows from its duration.
STEP_SECONDS = "seqtune:step_seconds"

#: So many rungs at most are read off a study whose rungs are not known.
_MOST_RUNGS = 8


@dataclass(frozen=True)
class History:
    """Trials that say something, in number order, and those under way that do not yet.

    Attributes:
        known: them, as ``progress`` has them by row.
        pending: the parameters of trials that have reported nothing yet.
    """

    known: list[FrozenTrial]
    progress: Progress
    pending: list[dict[str, Any]]


class _Row(NamedTuple):
    """What one trial says: its costs at the rungs, all NaN where it failed."""

    trial: FrozenTrial
    costs: list[float]
    fails: bool
    stopped: bool


class Reader:
    """Reads trials, and remembers what it read of those that are the same objects the next time:
    Optuna's storages change a trial by putting another in its place."""

    def __init__(self) -> None:
        self._of: tuple[tuple[int, ...], float] = ((), 1.0)
        self._rows: list[_Row] = []

    def read(
        self, trials: Sequence[FrozenTrial], rungs: Sequence[int] | None, sign: float
    ) -> History:
        """Read trials; ``sign`` makes costs of values: 1 where less is better, −1 else.

        A trial without parameters is passed over. One that was stopped without a finite value at
        the last, as Optuna's pruners do with NaN, has failed.
        """
        steps = stops(trials) if rungs is None else tuple(rungs)
        if self._of != (steps, sign):
            self._of, self._rows = (steps, sign), []
        before = self._rows
        self._rows = [
            before[index]
            if index < len(before) and before[index].trial is trial
            else _row(trial, steps, sign)
            for index, trial in enumerate(trials)
        ]
        rows = [row for row in self._rows if row.costs]
        costs_NK = np.array([row.costs for row in rows], dtype=np.float64)
        costs_NK = costs_NK.reshape(len(rows), len(steps) + 1)
        stopped_N = np.array([row.stopped for row in rows], dtype=np.bool_)
        failed_N = np.array([row.fails for row in rows], dtype=np.bool_)
        return History(
            [row.trial for row in rows],
            Progress(costs_NK, _passed(costs_NK, stopped_N), failed_N),
            [
                row.trial.params
                for row in self._rows
                if not row.costs and row.trial.state == TrialState.RUNNING and row.trial.params
            ],
        )


def read(trials: Sequence[FrozenTrial], rungs: Sequence[int] | None, sign: float) -> History:
    """Read trials once; see ``Reader``."""
    return Reader().read(trials, rungs, sign)


def _row(trial: FrozenTrial, steps: Sequence[int], sign: float) -> _Row:
    """Read one trial; without costs where it says nothing."""
    values, state = trial.intermediate_values, trial.state
    stopped = state not in (TrialState.RUNNING, TrialState.COMPLETE)
    if not trial.params:
        return _Row(trial, [], False, stopped)
    fails = _failed(state, values)
    costs = [] if fails else _costs(trial, values, steps, sign)
    if fails or costs:
        costs = costs + [math.nan] * (len(steps) + 1 - len(costs))
    return _Row(trial, costs, fails, stopped)


def _failed(state: TrialState, values: dict[int, float]) -> bool:
    if state != TrialState.PRUNED:
        return state == TrialState.FAIL
    return not values or math.isnan(values[max(values)])


def _costs(
    trial: FrozenTrial, values: dict[int, float], steps: Sequence[int], sign: float
) -> list[float]:
    """Return a trial's cost at each rung that it came to, and at its end if it was completed."""
    row = list[float]()
    last = max(values, default=-1)
    for step in steps:
        if step > last:
            break
        at = step if step in values else max((s for s in values if s <= step), default=None)
        row.append(math.nan if at is None else sign * values[at])
    if trial.state == TrialState.COMPLETE and trial.value is not None:
        return row + [math.nan] * (len(steps) - len(row)) + [sign * trial.value]
    if trial.state == TrialState.PRUNED and steps and not row:
        return [sign * values[last]]  # it was stopped by another rule than the rungs'
    return row


def _passed(costs_NK: NDArray[np.float64], stopped_N: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return from which rungs trials were let go on."""
    reached_NK = ~np.isnan(costs_NK)
    later_NK = np.flip(np.cumsum(np.flip(reached_NK, axis=1), axis=1), axis=1) > 1
    return np.asarray(reached_NK & (later_NK | ~stopped_N[:, None]))


def step_seconds(trial: FrozenTrial) -> float:
    """Return how long a step of a trial took; NaN where that is not known."""
    said = trial.system_attrs.get(STEP_SECONDS)
    if said is not None:
        return float(said)
    reported = trial.intermediate_values
    if trial.duration is None or not reported:
        return math.nan
    return trial.duration.total_seconds() / (max(reported) - min(reported) + 1)


def stops(trials: Sequence[FrozenTrial]) -> tuple[int, ...]:
    """Return the steps at which trials were stopped, ascending: a pruner's rungs.

    Of many, those that are twice as far as the one before.
    """
    ends = {
        trial.last_step
        for trial in trials
        if trial.state == TrialState.PRUNED and trial.last_step is not None
    }
    chosen = list[int]()
    for step in sorted(ends):
        if len(ends) <= _MOST_RUNGS or not chosen or step + 1 >= 2 * (chosen[-1] + 1):
            chosen.append(step)
    return tuple(chosen)
