"""The values of epochs under a study's objective."""

from collections.abc import Iterable

from search.journal.events import EpochDone
from search.spec.objective import Objective


def best_of(epochs: Iterable[EpochDone], objective: Objective) -> EpochDone | None:
    """Return the epoch with the best finite value, the earliest of equals."""
    finite = [(objective.cost(e.value), e.epoch, e) for e in epochs if e.value is not None]
    return min(finite)[2] if finite else None


def revalued(epoch: EpochDone, objective: Objective) -> EpochDone:
    """Return the epoch as this objective values it."""
    return epoch.model_copy(update={"value": objective.value_of(epoch.metrics)})
