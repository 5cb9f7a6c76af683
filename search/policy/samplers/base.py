"""What a sampler is: a reading of the study's state."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from search.journal.state import StudyState


@dataclass(frozen=True)
class Suggestion:
    """A configuration: a value for every dimension of the state's space.

    Attributes:
        attributes: what the sampler wants to find again with the trial; plain JSON, kept in the
            journal.
    """

    params: dict[str, Any]
    attributes: dict[str, Any] = field(default_factory=dict)


class Sampler(ABC):
    """Chooses configurations; one method.

    A study asks when a worker is free and no trial waits, under its lock, once a trial. The same
    state must give the same suggestion, in this process or in the next: a sampler may remember what
    it has derived from a state, and only that.
    """

    @abstractmethod
    def suggest(self, state: StudyState, number: int) -> Suggestion:
        """Choose the configuration of trial ``number``, the next one.

        ``state.trials`` holds every trial before it, running ones too. Rank by ``state.objective``,
        look at ``state.comparable_trials()``, and seed with ``derive_seed``. A state of another
        ``revision`` has another space, objective or data.
        """
