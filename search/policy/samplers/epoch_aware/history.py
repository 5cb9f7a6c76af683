"""An Optuna study's trials, as the sampler reads them.

Legend: N trials, K rungs; the last is the end of the training.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from search.policy.samplers.epoch_aware.distributions import Spaces
from search.policy.samplers.epoch_aware.places import SUGGESTED, Places, asked
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
        seconds_N: how long a step of each took; NaN where that is not known.
        pending: the parameters of trials that have reported nothing yet.
        whole_M: whether those are all that a trial will have.
        places: where trials lie.
    """

    known: list[FrozenTrial]
    progress: Progress
    seconds_N: NDArray[np.float64]
    pending: list[dict[str, Any]]
    whole_M: NDArray[np.bool_]
    places: Places

    @cached_property
    def settled_N(self) -> NDArray[np.bool_]:
        """Which have all parameters that their code asks for: they ended, and did not fail."""
        ended = (TrialState.COMPLETE, TrialState.PRUNED)
        return np.array([trial.state in ended for trial in self.known], dtype=np.bool_)


class _Row(NamedTuple):
    """What one trial says: its costs at the rungs, all NaN where it failed."""

    trial: FrozenTrial
    costs: list[float]
    fails: bool
    stopped: bool
    seconds: float


class Reader:
    """Reads trials, and remembers what it read of those that are the same objects the next time:
    Optuna's storages change a trial by putting another in its place. Threads may share one.

    Attributes:
        spaces: joins the distributions of the same trials.
    """

    def __init__(self) -> None:
        self.spaces, self._places = Spaces(), Places()
        self._of: tuple[tuple[tuple[int, ...], float], list[_Row]] = (((), 1.0), [])
        self._ends: list[tuple[FrozenTrial, int | None]] = []

    def read(
        self, trials: Sequence[FrozenTrial], rungs: Sequence[int] | None, sign: float
    ) -> History:
        """Read trials; ``sign`` makes costs of values: 1 where less is better, −1 else.

        A trial without parameters is passed over. One that was stopped without a finite value at
        the last, as Optuna's pruners do with NaN, has failed.
        """
        steps = tuple(rungs) if rungs else rungs_of(self._stops(trials))
        of, before = self._of
        before = before if of == (steps, sign) else []
        every = [
            before[index]
            if index < len(before) and before[index].trial is trial
            else _row(trial, steps, sign)
            for index, trial in enumerate(trials)
        ]
        self._of = (steps, sign), every
        rows = [row for row in every if row.costs]
        costs_NK = np.array([row.costs for row in rows], dtype=np.float64)
        costs_NK = costs_NK.reshape(len(rows), len(steps) + 1)
        stopped_N = np.array([row.stopped for row in rows], dtype=np.bool_)
        failed_N = np.array([row.fails for row in rows], dtype=np.bool_)
        running = [row.trial for row in every if not row.costs and _begins(row.trial)]
        return History(
            [row.trial for row in rows],
            Progress(costs_NK, _passed(costs_NK, stopped_N), failed_N),
            np.array([row.seconds for row in rows], dtype=np.float64),
            [asked(trial) for trial in running],
            np.array([SUGGESTED in trial.system_attrs for trial in running], dtype=np.bool_),
            self._places,
        )

    def _stops(self, trials: Sequence[FrozenTrial]) -> set[int]:
        """Return the steps at which trials were stopped."""
        before = self._ends
        every = [
            before[index]
            if index < len(before) and before[index][0] is trial
            else (trial, trial.last_step if trial.state == TrialState.PRUNED else None)
            for index, trial in enumerate(trials)
        ]
        self._ends = every
        return {step for _, step in every if step is not None}


def read(trials: Sequence[FrozenTrial], rungs: Sequence[int] | None, sign: float) -> History:
    """Read trials once; see ``Reader``."""
    return Reader().read(trials, rungs, sign)


def _row(trial: FrozenTrial, steps: Sequence[int], sign: float) -> _Row:
    """Read one trial; without costs where it says nothing."""
    values, state = trial.intermediate_values, trial.state
    stopped = state not in (TrialState.RUNNING, TrialState.COMPLETE)
    if not trial.params:
        return _Row(trial, [], False, stopped, math.nan)
    fails = _failed(state, values)
    costs = [] if fails else _costs(trial, values, steps, sign)
    if fails or any(not math.isnan(cost) for cost in costs):
        costs = costs + [math.nan] * (len(steps) + 1 - len(costs))
        return _Row(trial, costs, fails, stopped, step_seconds(trial))
    return _Row(trial, [], False, stopped, math.nan)


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
    if trial.state == TrialState.PRUNED and all(math.isnan(cost) for cost in row):
        return [*row[:-1], sign * values[last]]  # it was stopped by another rule than the rungs'
    return row


def _begins(trial: FrozenTrial) -> bool:
    """Whether a trial is under way, and it is known what with."""
    known = bool(trial.params) or SUGGESTED in trial.system_attrs
    return known and trial.state == TrialState.RUNNING


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
    steps = sorted(trial.intermediate_values)
    if trial.duration is None or not steps:
        return math.nan
    # A report covers the steps since the one before; so does the first, whatever the count's start.
    apart = min((b - a for a, b in pairwise(steps)), default=max(steps[0], 1))
    return trial.duration.total_seconds() / (steps[-1] - steps[0] + apart)


def rungs_of(stops: Collection[int]) -> tuple[int, ...]:
    """Return the steps at which trials were stopped, ascending: a pruner's rungs.

    Of many, those that are twice as far as the one before.
    """
    chosen = list[int]()
    for step in sorted(stops):
        if len(stops) <= _MOST_RUNGS or not chosen or step + 1 >= 2 * (chosen[-1] + 1):
            chosen.append(step)
    return tuple(chosen)
