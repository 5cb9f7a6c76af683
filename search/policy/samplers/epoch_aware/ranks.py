"""Trials that were stopped at different epochs on one scale: where each stands among all.

Under halving only the best come to a later rung, so a value there says that a trial is better than
nearly all others, whatever the value. A trial is placed by its rank at the highest rung that it
came to, among the share of all trials that came so far.

Legend: N trials, K rungs; the last is the end of the training. Less cost is better.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

Array = NDArray[np.float64]


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
    known_NK = ~np.isnan(costs_NK)
    places_N = np.full(trials, np.nan)
    for rung, share in enumerate(shares(progress)):
        here_N = known_NK[:, rung]
        if here_N.any():
            ranks = rankdata(costs_NK[here_N, rung])
            places_N[here_N] = 1.0 - share * (ranks - 0.5) / len(ranks)
    places_N[progress.failed_N] = 0.5 / max(trials, 1)
    return np.asarray(ndtri(np.clip(places_N, 1e-9, 1 - 1e-9)))
