"""Asynchronous successive halving (Li et al. 2020, arXiv 1810.05934), as pure rules.

η is the paper's: of the trials that come to a rung, the best 1/η go on. Costs are of one rung, and
less is better.
"""

import math
from collections.abc import Collection, Sequence


def should_stop(ordered: Sequence[float], cost: float, reduction_factor: int) -> bool:
    """Whether a trial of this cost stops, behind the ``ordered`` ones that came to its rung before.

    The first at a rung never does.
    """
    return bool(ordered) and cost > _quantile(ordered, 1.0 / reduction_factor)


def passes(latest: Collection[float], cost: float, reduction_factor: int) -> bool:
    """Whether a trial goes on that is compared with the latest at its rung; one that has just come
    is among them.

    Nobody does before η have come, or the first would go on for being first.
    """
    enough = len(latest) >= reduction_factor
    return enough and cost <= _quantile(sorted(latest), 1.0 / reduction_factor)


def passes_at_the_end(better: int, count: int, reduction_factor: int) -> bool:
    """Whether a trial goes on to which ``better`` of ``count`` are, when no others are to come: the
    best ⌈n/η⌉ do, one at least."""
    return better < math.ceil(count / reduction_factor)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Linear interpolation between order statistics, as NumPy's default."""
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
