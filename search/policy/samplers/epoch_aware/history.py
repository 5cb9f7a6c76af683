"""An Optuna study's trials, as the sampler reads them.

Legend: N trials, K rungs; the last is the end of the training.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
        numbers, known: theirs, and their parameters, as ``progress`` has them by row.
        seconds_N: how long a step took; NaN where that is not known.
        pending: the parameters of trials that have reported nothing yet.
    """

    numbers: list[int]
    known: list[dict[str, Any]]
    progress: Progress
    seconds_N: NDArray[np.float64]
    pending: list[dict[str, Any]]


def read(trials: Sequence[FrozenTrial], rungs: Sequence[int] | None, sign: float) -> History:
    """Read trials; ``sign`` makes costs of values: 1 where less is better, −1 else.

    A trial without parameters is passed over. One that was stopped without a finite value at the
    last, as Optuna's pruners do with NaN, has failed.
    """
    steps = stops(trials) if rungs is None else tuple(rungs)
    known, pending = list[FrozenTrial](), list[dict[str, Any]]()
    costs, passed = list[list[float]](), list[list[bool]]()
    for trial in trials:
        if not trial.params:
            continue
        row = _costs(trial, steps, sign)
        if _failed(trial) or any(not math.isnan(cost) for cost in row):
            known.append(trial)
            costs.append(row)
            passed.append(_passed(trial, row))
        elif trial.state == TrialState.RUNNING:
            pending.append(trial.params)
    progress = Progress(
        np.array(costs).reshape(len(known), len(steps) + 1),
        np.array(passed, dtype=np.bool_).reshape(len(known), len(steps) + 1),
        np.array([_failed(trial) for trial in known], dtype=np.bool_),
    )
    numbers = [trial.number for trial in known]
    seconds_N = np.array([_step_seconds(trial) for trial in known], dtype=np.float64)
    return History(numbers, [trial.params for trial in known], progress, seconds_N, pending)


def _failed(trial: FrozenTrial) -> bool:
    if trial.state != TrialState.PRUNED:
        return trial.state == TrialState.FAIL
    last = trial.last_step
    return last is None or math.isnan(trial.intermediate_values[last])


def _step_seconds(trial: FrozenTrial) -> float:
    said = trial.system_attrs.get(STEP_SECONDS)
    if said is not None:
        return float(said)
    reported = trial.intermediate_values
    if trial.duration is None or not reported:
        return math.nan
    return trial.duration.total_seconds() / (max(reported) - min(reported) + 1)


def _costs(trial: FrozenTrial, steps: Sequence[int], sign: float) -> list[float]:
    """Return a trial's cost at each rung that it came to, and at its end if it was completed."""
    values = trial.intermediate_values
    row = [math.nan] * (len(steps) + 1)
    if _failed(trial):
        return row
    last = max(values, default=-1)
    for index, step in enumerate(steps):
        if step > last:
            break
        at = step if step in values else max((s for s in values if s <= step), default=None)
        row[index] = math.nan if at is None else sign * values[at]
    if trial.state == TrialState.COMPLETE and trial.value is not None:
        row[-1] = sign * trial.value
    elif trial.state == TrialState.PRUNED and steps and last < steps[0]:
        row[0] = sign * values[last]  # it was stopped by another rule than the rungs'
    return row


def _passed(trial: FrozenTrial, row: list[float]) -> list[bool]:
    """Return from which rungs a trial was let go on."""
    reached = [index for index, cost in enumerate(row) if not math.isnan(cost)]
    stopped = trial.state not in (TrialState.RUNNING, TrialState.COMPLETE)
    last = reached[-1] if reached and stopped else len(row)
    return [index in reached and index < last for index in range(len(row))]


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
