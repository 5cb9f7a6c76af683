"""Asynchronous successive halving (Li et al. 2020, arXiv 1810.05934), as pure rules.

η is the paper's: of the trials that come to a rung, the best 1/η go on. Costs are of one rung, and
less is better.
"""

import math
from collections.abc import Sequence


def should_stop(ordered: Sequence[float], cost: float, reduction_factor: int) -> bool:
    """Whether a trial of this cost stops, behind the ``ordered`` ones that came to its rung before.

    The first at a rung never does.
    """
    return bool(ordered) and cost > _quantile(ordered, 1.0 / reduction_factor)


def passes(better: int, count: int, reduction_factor: int) -> bool:
    """Whether a trial goes on that is compared with the latest ``count`` at its rung, itself among
    them, of which ``better`` come before it.

    Nobody does before η have come, or the first would go on for being first.
    """
    return count >= reduction_factor and better * reduction_factor <= count - 1


def passes_at_the_end(better: int, count: int, reduction_factor: int) -> bool:
    """Whether a trial goes on when no others are to come: the best ⌈n/η⌉ do, one at least."""
    return better < math.ceil(count / reduction_factor)


def better_than(costs: Sequence[float], cost: float, waiting: int) -> int:
    """Return how many of ``costs`` come before one of ``waiting`` equal ones: those that are less,
    and of those that are equal all but the ones that wait.

    Else a metric that is stuck at one value, as where nothing is learnt, would let all pass.
    """
    less, equal = sum(other < cost for other in costs), sum(other == cost for other in costs)
    return less + max(0, equal - waiting)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Linear interpolation between order statistics, as NumPy's default."""
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
