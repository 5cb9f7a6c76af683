"""Means over seeds, and gains between two configurations, with intervals that count both seeds and
texts.

Shapes: S seeds, N texts, D draws.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.report.tables import figure

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
        ci95: of the mean, over seeds and texts.
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
    ours: Sequence[Metric],
    theirs: Sequence[Metric],
    texts: int,
    sign: float,
    draws: int,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[Estimate, Estimate, Gain]:
    """Compare two configurations by the seeds of each, over the same texts.

    Texts are drawn again for all seeds together, for an easy text is easy to all of them (paired
    bootstrap, Efron & Tibshirani 1993). What seeds differ by is added to that: a handful of them
    drawn again would seem more certain than they are, so intervals are Student's, with the degrees
    of freedom of Welch (1947). ``sign`` is 1 where more is better, −1 else.

    Nothing is beyond the metric's ``limits``. Of a metric from 0 to 1, texts that are all right
    leave room for two wrong ones (Agresti & Coull 1998; of a gain, Agresti & Min 2005).
    """
    rng, every = np.random.default_rng(0), np.arange(texts)
    drawn_D2 = np.zeros((draws, 2))
    for row in drawn_D2:
        some = rng.integers(texts, size=texts)
        row[:] = [np.mean([metric(some) for metric in metrics]) for metrics in (ours, theirs)]
    low, high = limits
    whole = high - low == 1.0
    sides = [[metric(every) for metric in metrics] for metrics in (ours, theirs)]
    found = []
    for side, each in enumerate(sides):
        mean = float(np.mean(each))
        spread = _Spread.of([each], drawn_D2[:, side], texts, _least(mean, texts) if whole else 0.0)
        found.append(Estimate(each, mean, _deviation(each), _within(spread.interval(mean), limits)))
    gain = sign * (found[0].mean - found[1].mean)
    least = 1.0 / (texts + 2) ** 2 if whole else 0.0
    spread = _Spread.of(sides, drawn_D2[:, 0] - drawn_D2[:, 1], texts, least)
    interval = _within(spread.interval(gain), (low - high, high - low))
    return found[0], found[1], Gain(gain, interval, spread.chance(gain))


def _least(mean: float, texts: int) -> float:
    """Return the variance of a share of texts, were two more right and two wrong."""
    share = (mean * texts + 2) / (texts + 4)
    return share * (1.0 - share) / (texts + 4)


def _within(interval: tuple[float, float], limits: tuple[float, float]) -> tuple[float, float]:
    return max(interval[0], limits[0]), min(interval[1], limits[1])


@dataclass(frozen=True)
class _Spread:
    """How far a figure may be off: its standard error, and the degrees of freedom of that."""

    error: float
    freedom: float

    @classmethod
    def of(
        cls, sides: Sequence[Sequence[float]], drawn_D: Array, texts: int, least: float
    ) -> "_Spread":
        """Add what texts drawn again, at ``least`` so much, and each side's seeds differ by."""
        parts = [(max(float(np.var(drawn_D, ddof=1)), least), max(texts - 1, 1))]
        parts += [(_deviation(each) ** 2 / len(each), max(len(each) - 1, 1)) for each in sides]
        variance = sum(part for part, _ in parts)
        unsure = sum(part**2 / freedom for part, freedom in parts)
        return cls(math.sqrt(variance), variance**2 / unsure if unsure else 1.0)

    def interval(self, mean: float) -> tuple[float, float]:
        """Return where the figure lies with 95 %."""
        from scipy.stats import t

        off = float(t.ppf(0.975, self.freedom)) * self.error
        return mean - off, mean + off

    def chance(self, mean: float) -> float:
        """Return how often nothing would seem as much as this, either way."""
        from scipy.stats import t

        if not self.error:
            return float(mean == 0.0)
        return float(2.0 * t.sf(abs(mean) / self.error, self.freedom))


def _deviation(each: Sequence[float]) -> float:
    return float(np.std(each, ddof=1)) if len(each) > 1 else 0.0


def verdict(gain: Gain, metric: str, scale: float = 1.0) -> str:
    """Say in words whether the winner is better than the baseline beyond noise; ``scale`` is how
    large the metric is."""
    low, high = gain.ci95
    ends = f"{figure(low, scale, '+')} to {figure(high, scale, '+')}"
    said = f"{metric} ({ends}, p = {gain.p:.3g})"
    if low > 0:
        return f"better than the baseline by {figure(gain.mean, scale)} {said}"
    if high < 0:
        return (
            f"worse than the baseline by {figure(-gain.mean, scale)} {said}: the search has fitted "
            "its validation texts"
        )
    mean = figure(gain.mean, scale, "+")
    return f"not better than the baseline beyond noise: a gain of {mean} {said}"
