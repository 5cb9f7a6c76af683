"""The rungs of successive halving (Li et al. 2020, arXiv 1810.05934): values at compared epochs.

η (``reduction_factor``), r (``grace_epochs``) and R (``max_epochs``) are the paper's. A trial's
value at a rung's own epoch, and no other, stands in that rung, keyed by the trial's number.
"""

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
    """Epoch → trial number → value."""

    values: dict[int, dict[int, float]]

    @classmethod
    def empty(cls, stopping: StoppingSpec) -> "Rungs":
        """Make rungs that no trial has reached."""
        return cls({epoch: {} for epoch in rung_epochs(stopping)})

    @property
    def epochs(self) -> tuple[int, ...]:
        """The compared epochs, ascending."""
        return tuple(self.values)

    def record(self, number: int, epoch: int, value: float) -> None:
        """Put a trial's value in its rung, if ``epoch`` is one."""
        if epoch in self.values:
            self.values[epoch][number] = value

    def at(self, epoch: int) -> list[float]:
        """Return the values at an epoch, in the order they came; none where it is no rung."""
        return list(self.values.get(epoch, {}).values())
