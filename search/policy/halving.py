"""Asynchronous successive halving (Li et al. 2020, arXiv 1810.05934), as a pure rule.

η (``reduction_factor``), r (``grace_epochs``), R (``max_epochs``) are the paper's. A trial's value
at a rung's own epoch, and no other, stands in that rung; it may go on when it is among the best
1/η of the values that came before it. State is keyed by trial number.
"""

import math
from dataclasses import dataclass
from typing import Literal


def rung_epochs(grace_epochs: int, reduction_factor: int, max_epochs: int) -> tuple[int, ...]:
    """Epochs at which trials are compared, ascending, below ``max_epochs``."""
    epochs = []
    epoch = grace_epochs
    while epoch < max_epochs:
        epochs.append(epoch)
        epoch *= reduction_factor
    return tuple(epochs)


@dataclass
class Asha:
    """The rungs of one study: epoch → trial number → value."""

    rungs: dict[int, dict[int, float]]
    reduction_factor: int
    mode: Literal["min", "max"]

    def should_stop(self, epoch: int, value: float) -> bool:
        """Whether a trial with this value at this epoch is stopped; the first at a rung never."""
        earlier = self.rungs.get(epoch)
        if not earlier:
            return False
        sign = 1.0 if self.mode == "max" else -1.0
        cutoff = _quantile([sign * v for v in earlier.values()], 1.0 - 1.0 / self.reduction_factor)
        return sign * value < cutoff

    def record(self, number: int, epoch: int, value: float) -> None:
        """Puts a value in its rung, if ``epoch`` is one."""
        if epoch in self.rungs:
            self.rungs[epoch][number] = value


def new_asha(
    grace_epochs: int, reduction_factor: int, max_epochs: int, mode: Literal["min", "max"]
) -> Asha:
    """Empty rungs."""
    epochs = rung_epochs(grace_epochs, reduction_factor, max_epochs)
    return Asha({epoch: {} for epoch in epochs}, reduction_factor, mode)


def _quantile(values: list[float], share: float) -> float:
    """Linear interpolation between order statistics, as NumPy's default."""
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
