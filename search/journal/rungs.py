"""The rungs of successive halving (Li et al. 2020, arXiv 1810.05934): costs at compared epochs.

η (``reduction_factor``), r (``grace_epochs``) and R (``max_epochs``) are the paper's. The cost of a
trial at a rung's own epoch, and at no other, stands in that rung.
"""

import bisect
from dataclasses import dataclass

from search.spec.study import StoppingSpec


def rung_epochs(stopping: StoppingSpec) -> tuple[int, ...]:
    """Return the epochs at which trials are compared, ascending, below ``max_epochs``."""
    epochs = []
    epoch = stopping.grace_epochs
    while epoch < stopping.max_epochs:
        epochs.append(epoch)
        epoch *= stopping.reduction_factor
    return tuple(epochs)


@dataclass
class Rungs:
    """Epoch → costs in order, the least first: placed as they come, for to sort them at
    each report would take longer with every trial."""

    costs: dict[int, list[float]]

    @classmethod
    def empty(cls, stopping: StoppingSpec) -> "Rungs":
        """Make rungs that no trial has reached."""
        return cls({epoch: [] for epoch in rung_epochs(stopping)})

    @property
    def epochs(self) -> tuple[int, ...]:
        """The compared epochs, ascending."""
        return tuple(self.costs)

    def record(self, epoch: int, cost: float) -> None:
        """Put a trial's cost in its rung, if ``epoch`` is one."""
        if epoch in self.costs:
            bisect.insort(self.costs[epoch], cost)

    def at(self, epoch: int) -> list[float]:
        """Return the costs at an epoch, in order; none where it is no rung."""
        return self.costs.get(epoch, [])
