"""Parameters that only some configurations have, and on what that depends.

An Optuna study's code may ask for a momentum only where it has chosen plain gradient descent.
Nobody tells a sampler so; it is learnt from the trials.

Legend: N configurations, D axes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: A parent has no more different values than this, and each was seen so often: values that come
#: once would explain anything.
_MOST_VALUES, _SEEN = 16, 2


@dataclass(frozen=True)
class Condition:
    """``axis`` is missing where ``parent`` has one of these positions; NaN is one."""

    axis: int
    parent: int
    missing_at: tuple[float, ...]


def learn(x_ND: Array) -> tuple[Condition, ...]:
    """Return a condition of each axis that some configurations lack, where one explains it."""
    absent_ND = np.isnan(x_ND)
    optional = np.flatnonzero(absent_ND.any(axis=0) & ~absent_ND.all(axis=0))
    found = (_condition(x_ND, int(axis)) for axis in optional)
    return tuple(condition for condition in found if condition is not None)


def _condition(x_ND: Array, axis: int) -> Condition | None:
    absent_N = np.isnan(x_ND[:, axis])
    for parent in range(x_ND.shape[1]):
        values = np.unique(x_ND[:, parent])
        if parent == axis or len(values) > _MOST_VALUES:
            continue
        missing_at = []
        for value in values:
            group_N = absent_N[_equal(x_ND[:, parent], float(value))]
            if len(group_N) < _SEEN or group_N.any() != group_N.all():
                break
            if group_N.all():
                missing_at.append(float(value))
        else:
            return Condition(axis, parent, tuple(missing_at))
    return None


def without(x_ND: Array, conditions: tuple[Condition, ...]) -> Array:
    """Return the configurations less what they would not have."""
    less_ND, left = x_ND.copy(), -1
    while left != (left := int(np.sum(~np.isnan(less_ND)))):  # a parent may miss one of its own
        for condition in conditions:
            at_N = less_ND[:, condition.parent]
            misses_N = np.any([_equal(at_N, one) for one in condition.missing_at], axis=0)
            less_ND[misses_N, condition.axis] = np.nan
    return less_ND


def _equal(x_N: Array, position: float) -> NDArray[np.bool_]:
    return np.isnan(x_N) if np.isnan(position) else np.abs(x_N - position) < 1e-9
