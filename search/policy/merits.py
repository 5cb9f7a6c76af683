"""What the configurations of a study are worth, apart from luck.

Legend: N trials, M configurations, C others, X both, D axes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.expectations import Expectations, expectations
from search.policy.surrogate.axes import Axes, Axis, choice
from search.policy.surrogate.process import Posterior, fit
from search.spec.space import Choice, Dimension

Array = NDArray[np.float64]

#: Configurations that must be known before anything is said.
_FEWEST = 8

#: Errors are multiplied by this: what the model leaves out, by ``tests/benchmarks/outlook.py`` on
#: the tasks that are for developing.
ERRORS = 1.5

#: Of few configurations the process itself is uncertain: of so many, errors are larger by the root
#: of two (chosen on simulated searches of 9 to 60 trials; CONTRIBUTING, 2026-11-30).
_UNSURE = 20.0

#: What a configuration deviates by from the process is taken for chance by half, where it was not
#: run again. So many further runs weigh as much as that.
_CHANCE, _WEIGHT = 0.5, 4.0


@dataclass(frozen=True)
class Tail:
    """How worths below the median are drawn in: how bad the bad ones are says nothing of the best,
    and as it is it would pass for luck.

    A worth that lies ``d`` below the median comes to lie ``unit * log(1 + d / unit)`` below.
    """

    middle: float
    unit: float

    @classmethod
    def of(cls, worth_N: Array) -> "Tail":
        """Return the tail of worths: its unit is how far the best tenth is above the median, or how
        far the worst quarter is below it where those are equal."""
        low, middle, upper = np.quantile(worth_N, (0.25, 0.5, 0.9))
        unit = float(upper - middle) or float(middle - low) or 1.0
        return cls(float(middle), unit)

    def drawn_in(self, worth_N: Array) -> Array:
        """Return worths with the tail drawn in."""
        below_N = np.maximum(self.middle - worth_N, 0.0)
        drawn_N = self.middle - self.unit * np.log1p(below_N / self.unit)
        return np.asarray(np.where(below_N > 0.0, drawn_N, worth_N))

    def slopes(self, worth_N: Array) -> Array:
        """Return by how much a drawn in worth moves with the worth itself."""
        return 1.0 / (1.0 + np.maximum(self.middle - worth_N, 0.0) / self.unit)

    def back(self, drawn_in: float) -> float:
        """Return the worth that was drawn in to this."""
        if drawn_in >= self.middle:
            return drawn_in
        return self.middle - self.unit * math.expm1((self.middle - drawn_in) / self.unit)


@dataclass(frozen=True)
class Merits:
    """The model of one moment.

    Attributes:
        first: the trial that had each configuration first.
        x_MD: the configurations.
        z_M: what was observed of each: worth, its ``tail`` drawn in, less ``centre``, by ``scale``.
        variance_M: of that, as far as it is known.
        whole_M: whether one was trained to its end.
        chance: the variance of a trial's worth around its configuration's, as z.
    """

    axes: Axes
    first: list[int]
    x_MD: Array
    z_M: Array
    variance_M: Array
    whole_M: NDArray[np.bool_]
    posterior: Posterior
    tail: Tail
    centre: float
    scale: float
    chance: float

    def worths(self, x_CD: Array) -> tuple[Array, Array]:
        """Return the mean and the covariance of what the configurations and others are worth, as z:
        first those that were tried."""
        return self.posterior.worths(self.features(x_CD))

    def worth(self, z: float) -> float:
        """Return the worth, in the metric's units, behind a z."""
        return self.tail.back(self.centre + self.scale * z)

    def error(self, error: float, z: float) -> float:
        """Return a small error of a z in the metric's units."""
        return self.scale * error / float(self.tail.slopes(np.array(self.worth(z))))

    def standard_error(self, variance: float, z: float) -> float:
        """Return how uncertain a z of so much ``variance`` is, in the metric's units."""
        few = math.sqrt(1.0 + _UNSURE / len(self.first))
        return ERRORS * few * self.error(math.sqrt(variance), z)

    def best(self, worth_M: Array) -> int:
        """Return the best of those that were trained to their ends: of others, how they would have
        gone on is supposed."""
        return int(np.argmax(np.where(self.whole_M, worth_M, -np.inf)))

    def features(self, x_ND: Array) -> Array:
        """Return what the process measures distances by, x_NF."""
        return self.axes.features(x_ND, np.any(np.isnan(self.x_MD), axis=0))


def learn_merits(state: StudyState) -> Merits | None:
    """Return the model of a state; None while too little is known, or all is alike."""
    known = expectations(state)
    if len(known.trials) < _FEWEST or not known.whole_N.any() or not state.space:
        return None
    tail = Tail.of(-known.costs_N)
    worth_N = tail.drawn_in(-known.costs_N)
    centre, scale = float(np.mean(worth_N)), float(np.std(worth_N))
    if not np.isfinite(scale) or scale <= 1e-12 * max(1.0, abs(centre)):
        return None
    axes = axes_of(state.space)
    x_ND = axes.points([trial.params for trial in known.trials])
    z_N = (worth_N - centre) / scale
    variances_N = known.variances_N * tail.slopes(-known.costs_N) ** 2
    known_N = np.minimum(variances_N / scale**2, 100.0)
    groups = _groups(known.trials)
    if len(groups) < _FEWEST:
        return None
    x_NF = axes.features(x_ND, np.any(np.isnan(x_ND), axis=0))
    theta = fit(x_NF, z_N, None, known_N)
    chance, own = _split(math.exp(theta[-1]), z_N, groups, known)
    theta[-1] = math.log(own)
    z_M, known_M = _together(z_N, known_N + chance, groups)
    rows = [group[0] for group in groups]
    return Merits(
        axes=axes,
        first=[known.trials[row].number for row in rows],
        x_MD=x_ND[rows],
        z_M=z_M,
        variance_M=known_M,
        whole_M=np.array([known.whole_N[group].any() for group in groups], dtype=np.bool_),
        posterior=Posterior(theta, x_NF[rows], z_M, known_M),
        tail=tail,
        centre=centre,
        scale=scale,
        chance=chance,
    )


def _groups(trials: Sequence[Trial]) -> list[list[int]]:
    """Return the rows of each configuration, in the order of their first."""
    rows: dict[int, list[int]] = {}
    for index, trial in enumerate(trials):
        rows.setdefault(trial.first, []).append(index)
    return list(rows.values())


def _split(
    deviation: float, z_N: Array, groups: list[list[int]], known: Expectations
) -> tuple[float, float]:
    """Return which part of trials' ``deviation`` from the process, a variance, is the chance of a
    training, and which is the configurations' own.

    Configurations that were trained to their ends more than once tell.
    """
    repeated = [[row for row in group if known.whole_N[row]] for group in groups]
    repeated = [group for group in repeated if len(group) > 1]
    squares = sum(float(np.sum((z_N[group] - z_N[group].mean()) ** 2)) for group in repeated)
    freedom = sum(len(group) - 1 for group in repeated)
    chance = (_WEIGHT * _CHANCE * deviation + squares) / (_WEIGHT + freedom)
    return max(chance, 1e-6), max(deviation - chance, 0.1 * deviation)


def _together(z_N: Array, variance_N: Array, groups: list[list[int]]) -> tuple[Array, Array]:
    """Return one observation of each configuration, and its variance."""
    precisions = np.array([np.sum(1.0 / variance_N[group]) for group in groups])
    sums = np.array([np.sum(z_N[group] / variance_N[group]) for group in groups])
    return sums / precisions, 1.0 / precisions


def axes_of(space: Mapping[str, Dimension]) -> Axes:
    """Return the axes of a study's space."""
    return Axes({name: _axis(dimension) for name, dimension in space.items()})


def _axis(dimension: Dimension) -> Axis:
    if isinstance(dimension, Choice):
        return choice(dimension.options)
    step = dimension.step or (1.0 if dimension.kind == "int" else None)
    return Axis(
        low=dimension.low,
        high=dimension.high,
        step=None if dimension.log else step,
        log=dimension.log,
        whole=dimension.kind == "int",
    )
