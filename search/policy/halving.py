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


def has_room(count: int, went_on: int, reduction_factor: int) -> bool:
    """Whether one more of those at a rung goes on: no more do than 1/η of ``count``, who came.

    So nobody goes on for being first. And it stays so where a sampler learns and later trials are
    better: by a quantile nearly all of them would pass, and be trained to their ends.
    """
    return (went_on + 1) * reduction_factor <= count


def has_last_room(count: int, went_on: int, reduction_factor: int) -> bool:
    """Whether one more goes on where nobody else is to come: ⌈n/η⌉ do, one at least."""
    return is_among_best(went_on, count, reduction_factor)


def is_among_best(better: int, count: int, reduction_factor: int) -> bool:
    """Whether a trial with so many ``better`` ones is among the best ⌈n/η⌉, of which there is one
    at least."""
    return better < math.ceil(count / reduction_factor)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Linear interpolation between order statistics, as NumPy's default."""
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
