"""One trial of a study, and all that is known of it."""

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from search.journal.epochs import Epoch, Epochs
from search.journal.events import AttemptFailed, EndState
from search.spec.study import StudySpec

#: ``waiting``: to be handed out, for the first time or again; ``paused``: to go on if it turns out
#: to be among the best at its rung.
TrialState = Literal["waiting", "running", "paused", "completed", "pruned", "failed"]


@dataclass
class Trial:
    """One configuration and all that is known of it.

    Attributes:
        spec: the study when the trial was made, and ``revision`` how often it had been changed.
        data: the digest of its data.
        repeats: the trial whose configuration it has too, if there is one.
        audited: the rung at which it lost, if it is trained to its end all the same.
        due: the end that its last epoch's decision makes due, and why; None where it goes on.
    """

    number: int
    spec: StudySpec
    revision: int
    data: str
    params: dict[str, Any]
    origin: str
    attributes: dict[str, Any]
    repeats: int | None = None
    audited: int | None = None
    state: TrialState = "waiting"
    epochs: Epochs = field(init=False)
    attempts: int = 0
    failures: list[AttemptFailed] = field(default_factory=list)
    due: tuple[EndState, str | None] | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        self.epochs = Epochs(self.number)

    @property
    def first(self) -> int:
        """The trial that had this configuration first: itself, or the one that it repeats."""
        return self.number if self.repeats is None else self.repeats

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in ("completed", "pruned", "failed")

    @property
    def epoch(self) -> int:
        """The last acknowledged epoch, 0 before the first."""
        return len(self.epochs)

    @property
    def compared(self) -> int:
        """The last epoch at which it is compared with others: an audited trial has lost there."""
        return self.epoch if self.audited is None else self.audited

    def went_on_from(self, epoch: int) -> bool:
        """Whether it was let go on from a rung that it came to, and not only to be audited."""
        if self.audited == epoch:
            return False
        return epoch < self.epoch or (self.due is None and self.state not in ("paused", "pruned"))

    @property
    def best_epoch(self) -> Epoch | None:
        """The one with the best finite value, the earliest of equals."""
        return self.epochs.best

    @property
    def best_value(self) -> float | None:
        """The value of its best epoch."""
        return self.epochs.best_value


class Best(NamedTuple):
    """A study's best trial, and the epoch that makes it so."""

    trial: Trial
    epoch: Epoch

    @property
    def value(self) -> float:
        """The epoch's value, which is finite."""
        assert self.epoch.value is not None
        return self.epoch.value
