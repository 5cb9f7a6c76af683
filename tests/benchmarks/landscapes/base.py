"""What a landscape is: learning curves of every configuration of a space.

Legend: E epochs.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import optuna
from numpy.typing import NDArray

from search.policy.samplers.optuna_adapter import to_distributions
from search.spec.space import parse_space
from search.spec.study import StoppingSpec, StudySpec
from trainables.core.hyperparameters import Declaration

Array = NDArray[np.float64]

#: Random configurations that say how long a training takes, and what is good.
_SAMPLED = 400


class Curve(NamedTuple):
    """A trial's learning curve.

    Attributes:
        mean_E: the metric after each epoch, less the chance of this one trial.
        seen_E: the metric as the trial reports it; NaN where it diverged.
        seconds: how long an epoch takes.
    """

    mean_E: Array
    seen_E: Array
    seconds: float


class Scale(NamedTuple):
    """What regret and time are measured by: regret is 0 at ``top``, 1 at ``middle``.

    Attributes:
        top, middle: the best and the median of random configurations, each at its best epoch.
        seconds: the median of a full training.
    """

    top: float
    middle: float
    seconds: float


@dataclass(frozen=True)
class Problem:
    """A search as a study file would have it.

    Attributes:
        space: its table of that name.
    """

    name: str
    metric: str
    mode: str
    space: dict[str, Any]
    stopping: StoppingSpec

    @property
    def declarations(self) -> dict[str, Declaration]:
        """What a task would declare of its hyperparameters."""
        return {name: _declaration(entry) for name, entry in self.space.items()}

    def study(self, sampler: str, seed: int) -> StudySpec:
        """A study of it, with no end."""
        return StudySpec.from_tables(
            {
                "name": self.name,
                "task": "text-classification",
                "metric": self.metric,
                "mode": self.mode,
                "space": self.space,
                "search": {"trials": 1_000_000, "sampler": sampler, "seed": seed},
                "stopping": self.stopping.model_dump(),
            }
        )


def _declaration(entry: Any) -> Declaration:
    values = entry if isinstance(entry, list) else [entry["low"], entry["high"]]
    if isinstance(values[0], str):
        return Declaration(kind="choice", default=values[0], choices=tuple(values))
    kinds = {bool: "bool", int: "int", float: "float"}
    kind = "float" if any(isinstance(value, float) for value in values) else kinds[type(values[0])]
    return Declaration.model_validate({"kind": kind, "default": values[0]})


class Landscape(ABC):
    """Learning curves of every configuration of a problem's space."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    @abstractmethod
    def curve(self, params: dict[str, Any], seed: int) -> Curve:
        """Return how a configuration learns; ``seed`` draws the chance of one trial."""

    @cached_property
    def scale(self) -> Scale:
        """What random configurations are like."""
        space = parse_space(self.problem.space, self.problem.declarations)
        distributions = to_distributions(space)
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # it tells of every study
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        curves = [self.curve(study.ask(distributions).params, 0) for _ in range(_SAMPLED)]
        best = max if self.problem.mode == "max" else min
        bests = [best(curve.mean_E) for curve in curves]
        epochs = self.problem.stopping.max_epochs
        return Scale(
            float(best(bests)),
            float(np.median(bests)),
            float(np.median([curve.seconds for curve in curves])) * epochs,
        )
