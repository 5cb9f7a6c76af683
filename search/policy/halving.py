"""Asynchronous successive halving (Li et al. 2020, arXiv 1810.05934), as a pure rule.

A trial goes on when it is among the best 1/η of the values that came to its rung before it.
"""

import math
from collections.abc import Sequence


def should_stop(ordered: Sequence[float], cost: float, reduction_factor: int) -> bool:
    """Whether a trial of this cost stops, behind the ``ordered`` ones that came to its rung before.

    The first at a rung never does.
    """
    return bool(ordered) and cost > _quantile(ordered, 1.0 / reduction_factor)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Linear interpolation between order statistics, as NumPy's default."""
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
