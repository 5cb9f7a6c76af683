"""The rungs of successive halving (Li et al. 2020, arXiv 1810.05934): costs at compared epochs.

η (``reduction_factor``), r (``grace_epochs``) and R (``max_epochs``) are the paper's. The cost of a
trial at a rung's own epoch, and at no other, stands in that rung.
"""

import bisect
from collections import deque
from collections.abc import Iterable, Mapping
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


#: A trial is compared with so many of the latest at its rung, for each η. A sampler that learns
#: makes later trials better: beside all, nearly every one of them would pass.
_LATEST_PER_FACTOR = 4


@dataclass
class Rungs:
    """What trials reached at each compared epoch.

    Attributes:
        costs: by epoch, the least first: placed as they come, for to sort them at each report would
            take longer with every trial.
        arrivals: by epoch, the latest as they came.
    """

    costs: dict[int, list[float]]
    arrivals: dict[int, deque[float]]

    @classmethod
    def empty(cls, stopping: StoppingSpec) -> "Rungs":
        """Make rungs that no trial has reached."""
        epochs, latest = rung_epochs(stopping), _LATEST_PER_FACTOR * stopping.reduction_factor
        return cls({e: [] for e in epochs}, {e: deque(maxlen=latest) for e in epochs})

    @property
    def epochs(self) -> tuple[int, ...]:
        """The compared epochs, ascending."""
        return tuple(self.costs)

    def record(self, epoch: int, cost: float) -> None:
        """Put a trial's cost in its rung, if ``epoch`` is one."""
        if epoch in self.costs:
            bisect.insort(self.costs[epoch], cost)
            self.arrivals[epoch].append(cost)

    def at(self, epoch: int) -> list[float]:
        """Return the costs at an epoch, in order; none where it is no rung."""
        return self.costs.get(epoch, [])

    def dump(self) -> dict[str, list[float]]:
        """Return what does not follow from the trials: the order in which they came to a rung."""
        return {str(epoch): list(latest) for epoch, latest in self.arrivals.items()}

    def restore(self, dumped: Mapping[str, Iterable[float]]) -> None:
        """Take back what was dumped."""
        for epoch, latest in self.arrivals.items():
            latest.clear()
            latest.extend(dumped[str(epoch)])
