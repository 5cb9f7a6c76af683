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


def passes(latest: Sequence[float], cost: float, waiting: int, reduction_factor: int) -> bool:
    """Whether a trial goes on that is compared with the latest at its rung; one that has just come
    is among them. So many as are ``waiting`` have its cost too, itself among them.

    Nobody does before η have come, or the first would go on for being first. Of equals no more do
    than are among the best: else a metric that is stuck at one value, as where nothing is learnt,
    would let all pass.
    """
    count = len(latest)
    if count < reduction_factor or cost > _quantile(sorted(latest), 1.0 / reduction_factor):
        return False
    went = sum(other == cost for other in latest) - waiting
    better = sum(other < cost for other in latest) + went
    return went <= 0 or better * reduction_factor <= count - 1


def passes_at_the_end(better: int, count: int, reduction_factor: int) -> bool:
    """Whether a trial goes on when no others are to come: the best ⌈n/η⌉ do, one at least."""
    return better < math.ceil(count / reduction_factor)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Linear interpolation between order statistics, as NumPy's default."""
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
