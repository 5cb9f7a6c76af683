"""The trials of a study: all that is known of each, and which of them are open."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast, overload

from search.errors import JournalDamaged
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


@dataclass
class Trials(Sequence[Trial]):
    """All trials of a study, by their numbers.

    Attributes:
        running: numbers of those that are under way.
        paused: numbers of those that wait at a rung.
        ended_order: numbers of those that have ended, in the order of their ends.
        ends: how many ended in each way.
    """

    running: set[int] = field(default_factory=set)
    paused: set[int] = field(default_factory=set)
    ended_order: list[int] = field(default_factory=list)
    ends: Counter[EndState] = field(default_factory=Counter)
    _waiting: set[int] = field(default_factory=set)
    _all: list[Trial] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self._all)

    @overload
    def __getitem__(self, number: int) -> Trial: ...
    @overload
    def __getitem__(self, number: slice) -> list[Trial]: ...
    def __getitem__(self, number: int | slice) -> Trial | list[Trial]:
        return self._all[number]

    @property
    def ended(self) -> int:
        """How many have ended, failed ones too."""
        return len(self.ended_order)

    def open(self, number: int) -> Trial:
        """Return a trial that has not ended.

        Raises:
            JournalDamaged: it has, or was never made.
        """
        if not 0 <= number < len(self._all) or self._all[number].ended:
            raise JournalDamaged(f"the journal has a line of trial {number}, which is not open")
        return self._all[number]

    def all_open(self) -> list[Trial]:
        """Return the trials that have not ended."""
        return [self._all[number] for number in sorted(self.running | self._waiting | self.paused)]

    def next_waiting(self) -> Trial | None:
        """Return the trial to hand out next, of those that were begun; None if none waits."""
        return self._all[min(self._waiting)] if self._waiting else None

    def add(self, trial: Trial) -> None:
        """Take in the next trial.

        Raises:
            JournalDamaged: another number comes next.
        """
        if trial.number != len(self._all):
            raise JournalDamaged(f"the journal has trial {trial.number} out of order")
        self._all.append(trial)
        self._place(trial)

    def move(self, trial: Trial, state: TrialState) -> None:
        """Set the state of a trial that has not ended; an end is :meth:`end`'s."""
        trial.state = state
        self._place(trial)

    def end(self, trial: Trial, state: EndState) -> None:
        """Set a trial's end."""
        self.move(trial, state)
        self.count_end(trial)

    def count_end(self, trial: Trial) -> None:
        """Put a trial that has ended behind those that ended before."""
        self.ended_order.append(trial.number)
        self.ends[cast(EndState, trial.state)] += 1

    def _place(self, trial: Trial) -> None:
        for state, numbers in self._by_state():
            (numbers.add if state == trial.state else numbers.discard)(trial.number)

    def _by_state(self) -> tuple[tuple[TrialState, set[int]], ...]:
        return ("running", self.running), ("waiting", self._waiting), ("paused", self.paused)
