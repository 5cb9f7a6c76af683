"""Trials that were stopped at different epochs on one scale: where each stands among all.

Under halving only the best come to a later rung, so a value there says that a trial is better than
nearly all others, whatever the value. A trial is placed by its rank at the highest rung that it
came to, among the share of all trials that came so far.

Ranks stand any scale, outliers and all, but they pull apart what is nearly equal. So the more
trials there are, the more a trial's distance from others at its rung is that of their values.

Legend: N trials, K rungs; the last is the end of the training. Less cost is better.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from search.policy.surrogate.ranking import mid_ranks

Array = NDArray[np.float64]


#: From so many trials on it is by values alone how far trials of one rung are apart.
_BY_VALUE = 60

#: A bad outlier counts as so many times as far below the median as the best tenth is above.
_OUTLIERS = 1.5

#: A cost beyond is a penalty, and says no more than infinity.
_HUGE = 1e300


@dataclass(frozen=True)
class Progress:
    """How far trials came, and how they stood.

    Attributes:
        costs_NK: the cost at each rung that a trial came to, NaN beyond.
        passed_NK: whether it was let go on from there.
        failed_N: whether it came to nothing.
    """

    costs_NK: Array
    passed_NK: NDArray[np.bool_]
    failed_N: NDArray[np.bool_]


def shares(progress: Progress) -> Array:
    """Return the share of all trials that came to each rung, s_K, 1 for the first.

    Where none has passed yet, half a trial counts.
    """
    reached_K = np.sum(~np.isnan(progress.costs_NK), axis=0)
    passed_K = np.sum(progress.passed_NK, axis=0)
    rates_K = np.maximum(passed_K, 0.5) / np.maximum(reached_K, 1)
    rates_K[reached_K == 0] = 1.0
    return np.concatenate(([1.0], np.cumprod(rates_K[:-1])))


def scores(progress: Progress) -> Array:
    """Return each trial's place as a normal score, z_N: more is better, NaN where nothing is known.

    A trial of rank r among n at its highest rung, where a share s of all came, is better than a
    share 1 − s (r − ½) / n of all.
    """
    costs_NK, trials = progress.costs_NK, len(progress.costs_NK)
    by_value = min(1.0, trials / _BY_VALUE)
    z_N = np.full(trials, np.nan)
    for rung, share in enumerate(shares(progress)):
        here_N = ~np.isnan(costs_NK[:, rung])
        if here_N.any():
            costs_n = costs_NK[here_N, rung]
            ranked_n = _normal(1.0 - share * (mid_ranks(costs_n) - 0.5) / len(costs_n))
            valued_n = _apart_as_costs(costs_n, ranked_n)
            z_N[here_N] = (1.0 - by_value) * ranked_n + by_value * valued_n
    z_N[progress.failed_N] = _normal(np.array([0.5 / max(trials, 1)]))
    return z_N


def _normal(places: Array) -> Array:
    return np.asarray(ndtri(np.clip(places, 1e-9, 1 - 1e-9)))


def _apart_as_costs(costs_n: Array, scores_n: Array) -> Array:
    """Return scores linear in the cost, with those of the median and of the best tenth as they are.

    Bad outliers are bounded: how bad they are says nothing of where the best are.
    """
    finite_n = np.abs(costs_n) < _HUGE
    if np.sum(finite_n) < max(3, len(costs_n) / 2):
        return scores_n
    upper = np.quantile(costs_n[finite_n], 0.1 if len(costs_n) >= 10 else 0.0)
    middle = np.median(costs_n[finite_n])
    if middle - upper < 1e-12:
        return scores_n
    order = np.argsort(costs_n)
    z_upper, z_middle = np.interp((upper, middle), costs_n[order], scores_n[order])
    slope = (z_upper - z_middle) / (middle - upper)
    lowest, highest = z_middle - _OUTLIERS * (z_upper - z_middle), scores_n.max() + 0.5
    bounded_n = np.clip(costs_n, np.min(costs_n[finite_n]), np.max(costs_n[finite_n]))
    return np.asarray(np.clip(z_upper - slope * (bounded_n - upper), lowest, highest))
