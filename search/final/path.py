"""What made the winner better: the path to it from the baseline, one hyperparameter at a time.

Each step is trained with as many seeds as the ends of the path, and judged by validation texts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.final.candidates import Candidate
from search.journal.state import StudyState
from search.policy.health import importance
from search.policy.merits import learn_merits
from search.policy.surrogate.threads import one_thread
from search.spec.objective import Objective
from search.spec.study import StudySpec
from trainables.core.hyperparameters import Hyperparameters
from trainables.tasks.registry import find_task


@dataclass(frozen=True)
class Step:
    """A step of the path.

    Attributes:
        changed: the hyperparameters that take the winner's values, with these: one, and those that
            had no effect before it.
        params: the configuration that it leads to.
    """

    changed: dict[str, Any]
    params: dict[str, Any]


def steps_to(
    spec: StudySpec, shares: Mapping[str, float] | None, baseline: Candidate, winner: Candidate
) -> list[Step]:
    """Return the steps from one configuration to the other, the most important hyperparameter
    first by ``shares``; empty where nothing that matters is different."""
    kind = find_task(spec.task).declaration.hyperparameters
    names = [*winner.params, *baseline.params]
    default = {name: kind.model_fields[name].default for name in names}
    here, there = default | baseline.params, default | winner.params
    used = _effective(kind, there)
    differing = [name for name in dict.fromkeys(names) if name in used and here[name] != used[name]]
    found, changed = list[Step](), dict[str, Any]()
    for name in _in_order(spec, shares or {}, differing):
        changed[name] = there[name]
        next_one = here | {name: there[name]}
        if _effective(kind, next_one) != _effective(kind, here):
            found.append(Step(changed, next_one))
            changed = {}
        here = next_one
    return found


def _in_order(spec: StudySpec, shares: Mapping[str, float], names: Sequence[str]) -> list[str]:
    """Return names by importance; as the space has them where that is unknown, and what was not
    searched last."""
    place = {name: index for index, name in enumerate(spec.space)}
    return sorted(names, key=lambda n: (-shares.get(n, 0.0), place.get(n, len(place)), n))


def importances(state: StudyState) -> dict[str, float] | None:
    """Return how important each searched hyperparameter seems; None while too little is known."""
    with one_thread():
        merits = learn_merits(state)
        return None if merits is None else importance(state, merits)


def _effective(kind: type[Hyperparameters], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyperparameters that a trial of this configuration uses."""
    idle = kind.without_effect({name: (value,) for name, value in params.items()})
    return {name: value for name, value in params.items() if name not in idle}


def path_rows(
    objective: Objective, steps: Sequence[Step], values: Sequence[Sequence[float]]
) -> list[dict[str, Any]]:
    """Return what each step gained, as ``final.json`` has it.

    ``values`` are the finite values over seeds of the baseline and of every step. A gain has the
    standard error of a difference of two means, and is positive where it is better; it is None
    where no seed on either side came to a value.
    """
    sign = -objective.cost(1.0)
    rows = []
    for step, before, after in zip(steps, values[:-1], values[1:], strict=True):
        gain = None
        if before and after:
            error = float(np.hypot(_error(before), _error(after)))
            gain = {"mean": sign * float(np.mean(after) - np.mean(before)), "se": error}
        rows.append({"changed": step.changed, "validation": list(after), "gain": gain})
    return rows


def _error(values: Sequence[float]) -> float:
    """Return the standard error of a mean; 0 of one value, of which it is unknown."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
