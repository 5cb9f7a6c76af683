"""Where to look next: points spread over a space, and neighbours of its best.

Legend: N points, D axes.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from search.policy.surrogate.axes import Axes

Array = NDArray[np.float64]

#: Points spread over the space, and neighbours of the best of those tried.
_SPREAD, _NEIGHBOURS = 1024, 256

#: A space of no more configurations is looked at whole.
LISTED = 4096

#: How far a neighbour is, as a standard deviation of a position; how likely each axis moves.
_STEP, _MOVES = 0.12, 0.3

#: An axis of no more values takes any other where a neighbour's moves.
_FEW_VALUES = 6


def candidates(axes: Axes, best_ND: Array, rng: np.random.Generator) -> Array:
    """Return points to choose from, x_ND: all there are, or some spread and some near the best."""
    if axes.size <= LISTED:
        return every_point(axes)
    shift_D = rng.random(len(axes))
    spread_ND = axes.spread((_sobol(len(axes)) + shift_D) % 1.0)
    if not len(best_ND):
        return spread_ND
    return np.vstack((spread_ND, neighbours(axes, best_ND, _NEIGHBOURS, rng)))


def every_point(axes: Axes) -> Array:
    """Return all points of a finite space."""
    positions = [axis.positions() for axis in axes.axes]
    grid = np.meshgrid(*positions, indexing="ij")
    return np.column_stack([column.ravel() for column in grid])


@lru_cache(maxsize=4)
def _sobol(dimensions: int) -> Array:
    """Return one Sobol sequence; a question shifts it as a whole (Cranley & Patterson 1976)."""
    from scipy.stats import qmc  # 0.3 s, which a command that reads need not wait for

    return np.asarray(qmc.Sobol(dimensions, rng=np.random.default_rng(0)).random(_SPREAD))


def neighbours(axes: Axes, best_ND: Array, count: int, rng: np.random.Generator) -> Array:
    """Return so many points that differ from one of the best on some axes, on one at least."""
    near_ND = best_ND[np.arange(count) % len(best_ND)]
    moves_ND = rng.random(near_ND.shape) < _MOVES
    moves_ND[np.arange(count), rng.integers(len(axes), size=count)] = True
    steps_ND = rng.normal(0.0, _STEP, near_ND.shape)
    drawn_ND = axes.spread(rng.random(near_ND.shape))
    few_D = np.array([axis.size <= _FEW_VALUES for axis in axes.axes])
    moved_ND = np.where(few_D | np.isnan(near_ND), drawn_ND, near_ND + steps_ND)
    return axes.snap(np.where(moves_ND | np.isnan(near_ND), moved_ND, near_ND))


def expected_improvement(mean_N: Array, deviation_N: Array, best: float) -> Array:
    """Return by how much each point is expected to exceed ``best`` (Jones et al. 1998)."""
    t_N = (mean_N - best) / deviation_N
    density_N = np.exp(-0.5 * t_N**2) / np.sqrt(2.0 * np.pi)
    return np.asarray(deviation_N * (t_N * ndtr(t_N) + density_N))
