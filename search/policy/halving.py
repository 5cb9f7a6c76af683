"""Asynchronous successive halving (Li et al. 2020, arXiv 1810.05934), as a pure rule.

A trial goes on when it is among the best 1/η of the values that came to its rung before it.
"""

import math
from collections.abc import Sequence

from search.spec.objective import Objective


def should_stop(
    earlier: Sequence[float], value: float, reduction_factor: int, objective: Objective
) -> bool:
    """Whether a trial with this value stops, behind the ``earlier`` ones of its rung.

    The first at a rung never does.
    """
    if not earlier:
        return False
    costs = [objective.cost(other) for other in earlier]
    return objective.cost(value) > _quantile(costs, 1.0 / reduction_factor)


def _quantile(values: Sequence[float], share: float) -> float:
    """Linear interpolation between order statistics, as NumPy's default."""
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
