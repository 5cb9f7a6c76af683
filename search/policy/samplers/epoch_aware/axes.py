"""The dimensions of a space as axes from 0 to 1, and configurations as points on them.

Legend: N configurations, D axes, F features. A coordinate that a configuration lacks is NaN.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

Array = NDArray[np.float64]

#: Two different values of a nominal axis are as far apart as the ends of an ordered one.
_ONE_HOT = math.sqrt(0.5)


@dataclass(frozen=True)
class Axis:
    """One dimension.

    Attributes:
        values: all that it has, in order; None where they are too many to count.
        nominal: its values have no order.
        low, high, log, whole: the range, where ``values`` is None.
    """

    values: tuple[Any, ...] | None = None
    nominal: bool = False
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    whole: bool = False

    @property
    def size(self) -> float:
        """How many values it has; infinite for a range of floating-point numbers."""
        if self.values is not None:
            return len(self.values)
        return self.high - self.low + 1 if self.whole else math.inf

    def position(self, value: Any) -> float:
        """Return where a value lies, 0 to 1; NaN where the axis does not have it."""
        if self.values is not None:
            if value not in self.values:
                return math.nan
            return self.values.index(value) / max(len(self.values) - 1, 1)
        if not self.low <= value <= self.high:
            return math.nan
        low, high = self._ends()
        return (self._scale(value) - low) / (high - low)

    def spread(self, shares_N: Array) -> Array:
        """Return positions of values, spread over the axis as shares from 0 to 1 are."""
        if self.values is not None:
            indices = np.minimum(np.floor(shares_N * len(self.values)), len(self.values) - 1)
            return np.asarray(indices / max(len(self.values) - 1, 1))
        return self.snap(shares_N)

    def snap(self, positions_N: Array) -> Array:
        """Return the positions of the nearest values."""
        if self.values is not None:
            steps = max(len(self.values) - 1, 1)
            return np.asarray(np.clip(np.round(positions_N * steps), 0, steps) / steps)
        clipped = np.clip(positions_N, 0.0, 1.0)
        if not self.whole:
            return np.asarray(clipped)
        low, high = self._ends()
        scaled = low + clipped * (high - low)
        whole = np.clip(np.round(np.exp(scaled) if self.log else scaled), self.low, self.high)
        return np.asarray(((np.log(whole) if self.log else whole) - low) / (high - low))

    def value(self, position: float) -> Any:
        """Return the value at a position that was snapped."""
        if self.values is not None:
            return self.values[round(position * (len(self.values) - 1))]
        low, high = self._ends()
        scaled = low + position * (high - low)
        value = min(max(math.exp(scaled) if self.log else scaled, self.low), self.high)
        return round(value) if self.whole else value

    def _ends(self) -> tuple[float, float]:
        """Return both ends on the axis' scale; a whole number owns half a step on either side."""
        margin = 0.5 if self.whole else 0.0
        return self._scale(self.low - margin), self._scale(self.high + margin)

    def _scale(self, value: float) -> float:
        return math.log(value) if self.log else float(value)


#: A grid of more values than this is taken for a range, for they need no listing.
_MOST_VALUES = 64


def axis_of(distribution: BaseDistribution) -> Axis:
    """Return the axis of one of Optuna's distributions.

    A list of numbers is ordered. So is a pair of truth values.
    """
    if isinstance(distribution, CategoricalDistribution):
        return _choice(distribution.choices)
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    low, high, step = distribution.low, distribution.high, distribution.step
    whole = isinstance(distribution, IntDistribution)
    if step is not None and not distribution.log and (not whole or step != 1):
        count = round((high - low) / step) + 1
        return Axis(tuple(low + step * index for index in range(count)))
    if whole and not distribution.log and high - low < _MOST_VALUES:
        return Axis(tuple(range(int(low), int(high) + 1)))
    return Axis(low=float(low), high=float(high), log=distribution.log, whole=whole)


def _choice(options: Sequence[Any]) -> Axis:
    if all(isinstance(option, (int, float)) for option in options):
        return Axis(tuple(sorted(options)))
    return Axis(tuple(options), nominal=len(options) > 2)


class Axes:
    """All dimensions of a space.

    Those that some configurations lack have a feature that says so, and their parents, the
    dimension on whose value it depends, are learnt from the configurations.
    """

    def __init__(self, space: Mapping[str, BaseDistribution]) -> None:
        self.names = tuple(space)
        self.axes = tuple(axis_of(space[name]) for name in self.names)

    def __len__(self) -> int:
        return len(self.axes)

    @property
    def size(self) -> float:
        """How many configurations there are; infinite where one axis is."""
        return math.prod(axis.size for axis in self.axes)

    def points(self, configurations: Sequence[Mapping[str, Any]]) -> Array:
        """Return the points of configurations, x_ND."""
        rows = [
            [
                axis.position(params[name]) if name in params else math.nan
                for name, axis in zip(self.names, self.axes, strict=True)
            ]
            for params in configurations
        ]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.axes))

    def spread(self, shares_ND: Array) -> Array:
        """Return the points of values that lie where the shares say."""
        return self._each(Axis.spread, shares_ND)

    def snap(self, x_ND: Array) -> Array:
        """Return the points of the nearest values."""
        return self._each(Axis.snap, x_ND)

    def _each(self, move: Any, x_ND: Array) -> Array:
        columns = [move(axis, x_ND[:, index]) for index, axis in enumerate(self.axes)]
        return np.column_stack(columns)

    def configuration(self, x_D: Array) -> dict[str, Any]:
        """Return the values at a point that was snapped; what it lacks is left out."""
        return {
            name: axis.value(float(x))
            for name, axis, x in zip(self.names, self.axes, x_D, strict=True)
            if not math.isnan(x)
        }

    def features(self, x_ND: Array, optional_D: NDArray[np.bool_]) -> Array:
        """Return what distances are measured by, x_NF: a nominal axis has a feature a value, and
        an ``optional`` one has another that says whether it is there."""
        columns: list[Array] = []
        for axis, x_N, optional in zip(self.axes, x_ND.T, optional_D, strict=True):
            absent_N = np.isnan(x_N)
            if axis.nominal and axis.values is not None:
                steps = np.arange(len(axis.values)) / (len(axis.values) - 1)
                columns += list(_ONE_HOT * np.isclose(x_N[:, None], steps[None, :]).T)
            else:
                columns.append(np.where(absent_N, 0.5, x_N))
            if optional:
                columns.append(absent_N.astype(np.float64))
        return np.column_stack(columns)
