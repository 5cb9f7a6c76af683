"""Means over seeds, and gains between two configurations, with intervals that count both seeds and
texts.

Shapes: S seeds, N texts, D draws.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

#: The metric of one seed's predictions over some texts, by their rows.
Metric = Callable[[Rows], float]


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Attributes:
        each: the figure of each seed, over all texts.
        sd: of these.
        ci95: of the mean, over seeds and texts drawn again.
    """

    each: list[float]
    mean: float
    sd: float
    ci95: tuple[float, float]


@dataclass(frozen=True)
class Gain:
    """By how much one mean is better than the other, more is better.

    Attributes:
        p: how often a gain of nothing would seem so large, either way.
    """

    mean: float
    ci95: tuple[float, float]
    p: float


def compare(
    ours: Sequence[Metric], theirs: Sequence[Metric], texts: int, sign: float, draws: int
) -> tuple[Estimate, Estimate, Gain]:
    """Compare two configurations by the seeds of each, over the same texts.

    Seeds are drawn again of each, and texts of both together, for an easy text is easy to both
    (paired bootstrap, Efron & Tibshirani 1993). ``sign`` is 1 where more is better, −1 else.
    """
    rng, every = np.random.default_rng(0), np.arange(texts)
    drawn_D2 = np.zeros((draws, 2))
    for row in drawn_D2:
        some = rng.integers(texts, size=texts)
        for side, metrics in enumerate((ours, theirs)):
            seeds = rng.integers(len(metrics), size=len(metrics))
            of_seed = {int(seed): metrics[seed](some) for seed in set(seeds.tolist())}
            row[side] = np.mean([of_seed[int(seed)] for seed in seeds])
    found = [
        _estimate([metric(every) for metric in metrics], drawn_D2[:, side])
        for side, metrics in enumerate((ours, theirs))
    ]
    gains_D = sign * (drawn_D2[:, 0] - drawn_D2[:, 1])
    below, above = float(np.mean(gains_D <= 0.0)), float(np.mean(gains_D >= 0.0))
    p = min(1.0, max(2.0 * min(below, above), 2.0 / (draws + 1)))
    gain = Gain(sign * (found[0].mean - found[1].mean), _interval(gains_D), p)
    return found[0], found[1], gain


def _estimate(each: list[float], drawn_D: Array) -> Estimate:
    sd = float(np.std(each, ddof=1)) if len(each) > 1 else 0.0
    return Estimate(each, float(np.mean(each)), sd, _interval(drawn_D))


def _interval(drawn_D: Array) -> tuple[float, float]:
    low, high = np.percentile(drawn_D, (2.5, 97.5))
    return float(low), float(high)


def verdict(gain: Gain, metric: str) -> str:
    """Say in words whether the winner is better than the baseline beyond noise."""
    low, high = gain.ci95
    said = f"{gain.mean:+.4f} {metric} ({low:+.4f} to {high:+.4f}, p = {gain.p:.3g})"
    if low > 0:
        return f"better than the baseline: {said}"
    if high < 0:
        return f"worse than the baseline: {said}: the search has fitted its validation texts"
    return f"not better than the baseline beyond noise: {said}"
