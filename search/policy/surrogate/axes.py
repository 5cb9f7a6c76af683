"""The dimensions of a space as axes from 0 to 1, and configurations as points on them.

Legend: N configurations, D axes, F features. A coordinate that a configuration lacks is NaN.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Two different values of a nominal axis are as far apart as the ends of an ordered one.
_ONE_HOT = math.sqrt(0.5)

#: How high the parabola over an ordered axis is. A process takes an axis of which it has seen
#: little but the ends for a slope, and would look nowhere else; so the middle is another place.
_ARCH = 0.5

#: Points that agree in so many places are one configuration.
_PLACES = 9

#: In place of what a configuration lacks; no axis has it.
_LACKED = object()


@dataclass(frozen=True)
class Axis:
    """One dimension: a list of values, a grid of numbers, or a range.

    Attributes:
        values: the list, in order; None for a grid or a range.
        nominal: the values of the list have no order.
        low, high: both ends of a grid or a range.
        step: of a grid; None for a range.
        log: the range is even on a logarithmic scale.
        whole: it has whole numbers only.
    """

    values: tuple[Any, ...] | None = None
    nominal: bool = False
    low: float = 0.0
    high: float = 1.0
    step: float | None = None
    log: bool = False
    whole: bool = False

    @property
    def size(self) -> float:
        """How many values it has; infinite for a range of floating-point numbers."""
        if self.values is not None:
            return len(self.values)
        if self.step is not None:
            return round((self.high - self.low) / self.step) + 1
        return self.high - self.low + 1 if self.whole else math.inf

    @property
    def span(self) -> tuple[float, float]:
        """The positions of its least value and of its greatest: whole numbers of a range own half a
        step on either side."""
        return (0.0, 1.0) if self._even else (self.position(self.low), self.position(self.high))

    @property
    def _even(self) -> bool:
        """Whether its values are evenly spaced positions, by their places in the order."""
        return self.values is not None or self.step is not None

    def position(self, value: Any) -> float:
        """Return where a value lies, 0 to 1; NaN where the axis does not have it."""
        return float(self.positions_of([value])[0])

    def positions_of(self, values: Sequence[Any]) -> Array:
        """Return where values lie, 0 to 1; NaN where the axis does not have one."""
        known = self.values
        if known is not None:
            places = [known.index(value) if value in known else math.nan for value in values]
            return np.array(places, dtype=np.float64) / max(self.size - 1, 1)
        numbers_N = np.array([_number(value) for value in values], dtype=np.float64)
        numbers_N[(numbers_N < self.low) | (numbers_N > self.high)] = math.nan
        if self.step is not None:
            place_N = (numbers_N - self.low) / self.step
            is_one_N = np.abs(place_N % 1 - 0.5) > 0.499
            return np.where(is_one_N, np.round(place_N) / max(self.size - 1, 1), math.nan)
        low, high = self._ends
        scaled_N = np.array([self._scale(number) for number in numbers_N.tolist()])
        return np.asarray((scaled_N - low) / (high - low))

    def positions(self) -> Array:
        """Return the positions of all values of an axis that has not infinitely many."""
        if self._even:
            return np.arange(self.size) / max(self.size - 1, 1)
        return self.positions_of(np.arange(self.low, self.high + 1).tolist())

    def spread(self, shares_N: Array) -> Array:
        """Return positions of values, spread over the axis as shares from 0 to 1 are."""
        if self._even:
            places = np.minimum(np.floor(shares_N * self.size), self.size - 1)
            return np.asarray(places / max(self.size - 1, 1))
        return self.snap(shares_N)

    def snap(self, positions_N: Array) -> Array:
        """Return the positions of the nearest values."""
        clipped = np.clip(positions_N, 0.0, 1.0)
        if self._even:
            steps = max(self.size - 1, 1)
            return np.asarray(np.minimum(np.round(clipped * steps), self.size - 1) / steps)
        if not self.whole:
            return np.asarray(clipped)
        low, high = self._ends
        scaled = low + clipped * (high - low)
        whole = np.clip(np.round(np.exp(scaled) if self.log else scaled), self.low, self.high)
        return np.asarray(((np.log(whole) if self.log else whole) - low) / (high - low))

    def value(self, position: float) -> Any:
        """Return the value at a position that was snapped."""
        if self.values is not None:
            return self.values[round(position * (len(self.values) - 1))]
        if self.step is not None:
            number = min(self.low + self.step * round(position * (self.size - 1)), self.high)
            return round(number) if self.whole else number
        low, high = self._ends
        scaled = low + position * (high - low)
        number = min(max(math.exp(scaled) if self.log else scaled, self.low), self.high)
        return round(number) if self.whole else number

    @cached_property
    def _ends(self) -> tuple[float, float]:
        """Return both ends on the axis' scale; a whole number owns half a step on either side."""
        margin = 0.5 if self.whole else 0.0
        return self._scale(self.low - margin), self._scale(self.high + margin)

    def _scale(self, value: float) -> float:
        return math.log(value) if self.log else float(value)


def _number(value: Any) -> float:
    """Return a number as one of floating point; NaN for anything else."""
    return float(value) if isinstance(value, (float, int, Real)) else math.nan


def choice(options: Sequence[Any]) -> Axis:
    """Return the axis of a list of values. A list of numbers is ordered. So is a pair of values."""
    if all(isinstance(option, (int, float)) for option in options):
        return Axis(tuple(sorted(options)))
    return Axis(tuple(options), nominal=len(options) > 2)


def keys(x_ND: Array) -> list[Any]:
    """Return what is equal for equal configurations, a key a point; adding 0 makes −0 the same as
    0."""
    if not x_ND.shape[1]:
        return [b""] * len(x_ND)
    row = np.dtype((np.void, 8 * x_ND.shape[1]))
    rounded_ND = np.ascontiguousarray(np.round(x_ND, _PLACES) + 0.0)
    found: list[Any] = rounded_ND.view(row).ravel().tolist()
    return found


class Axes:
    """All dimensions of a space.

    A dimension that some configurations lack has a feature that says so.
    """

    def __init__(self, axes: Mapping[str, Axis]) -> None:
        self.names, self.axes = tuple(axes), tuple(axes.values())

    def __len__(self) -> int:
        return len(self.axes)

    @property
    def size(self) -> float:
        """How many configurations there are; infinite where one axis is."""
        return math.prod(float(axis.size) for axis in self.axes)

    def points(self, configurations: Sequence[Mapping[str, Any]]) -> Array:
        """Return the points of configurations, x_ND."""
        columns = [
            axis.positions_of([params.get(name, _LACKED) for params in configurations])
            for name, axis in zip(self.names, self.axes, strict=True)
        ]
        return np.column_stack(columns)

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
        """Return what distances are measured by, x_NF.

        A nominal axis has a feature a value. An ordered one has its position, and a parabola over
        it if it has a middle. An ``optional`` one has another that says whether it is there.
        """
        columns: list[Array] = []
        for axis, x_N, optional in zip(self.axes, x_ND.T, optional_D, strict=True):
            absent_N = np.isnan(x_N)
            if axis.nominal and axis.values is not None:
                steps = np.arange(len(axis.values)) / (len(axis.values) - 1)
                columns += list(_ONE_HOT * np.isclose(x_N[:, None], steps[None, :]).T)
            else:
                place_N = np.where(absent_N, 0.5, x_N)
                columns.append(place_N)
                if axis.size > 2:
                    columns.append(_ARCH * 4.0 * place_N * (1.0 - place_N))
            if optional:
                columns.append(absent_N.astype(np.float64))
        return np.column_stack(columns)
