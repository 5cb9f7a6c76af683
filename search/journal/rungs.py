"""The rungs of successive halving (Li et al. 2020, arXiv 1810.05934): costs at compared epochs.

η (``reduction_factor``), r (``grace_epochs``) and R (``max_epochs``) are the paper's. The cost of a
trial at a rung's own epoch, and at no other, stands in that rung, unless the trial has failed.
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
    """What trials reached at each compared epoch.

    Attributes:
        costs: by epoch, the least first: placed as they come, for to sort them at each report would
            take longer with every trial.
        went_on: by epoch, how many of them were let go on.
    """

    costs: dict[int, list[float]]
    went_on: dict[int, int]

    @classmethod
    def empty(cls, stopping: StoppingSpec) -> "Rungs":
        """Make rungs that no trial has reached."""
        epochs = rung_epochs(stopping)
        return cls({epoch: [] for epoch in epochs}, dict.fromkeys(epochs, 0))

    @property
    def epochs(self) -> tuple[int, ...]:
        """The compared epochs, ascending."""
        return tuple(self.costs)

    def record(self, epoch: int, cost: float) -> None:
        """Put a trial's cost in its rung, if ``epoch`` is one."""
        if epoch in self.costs:
            bisect.insort(self.costs[epoch], cost)

    def let_go(self, epoch: int) -> None:
        """Count a trial that goes on from an epoch, if that is a rung."""
        if epoch in self.went_on:
            self.went_on[epoch] += 1

    def withdraw(self, epoch: int, cost: float, went_on: bool) -> None:
        """Take a trial's cost out of its rung, and give back the place if it went on."""
        if epoch in self.costs:
            self.costs[epoch].remove(cost)
            self.went_on[epoch] -= went_on

    def at(self, epoch: int) -> list[float]:
        """Return the costs at an epoch, in order; none where it is no rung."""
        return self.costs.get(epoch, [])
