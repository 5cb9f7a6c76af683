"""The state of a study: a fold over its journal's events, the same live and at replay."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from search.errors import JournalDamaged
from search.journal.events import (
    ENDS,
    AttemptFailed,
    AttemptStarted,
    EndState,
    EpochDone,
    Event,
    SessionEnded,
    SessionStarted,
    SpecChanged,
    StudyCreated,
    TrialCreated,
    TrialEnded,
    TrialMoved,
    TrialRestored,
)
from search.journal.rungs import Rungs
from search.journal.values import best_of, revalued
from search.spec.space import parse_space
from search.spec.study import ResourcesSpec, StudySpec

#: ``waiting``: to be handed out, for the first time or again.
TrialState = Literal["waiting", "running", "completed", "pruned", "failed"]


@dataclass
class Trial:
    """One configuration and all that is known of it.

    Attributes:
        spec: the study when the trial was made.
        data: the digest of its data.
        best_epoch: the one with the best finite value, the earliest of equals.
    """

    number: int
    spec: StudySpec
    data: str
    params: dict[str, Any]
    origin: str
    attributes: dict[str, Any]
    state: TrialState = "waiting"
    epochs: list[EpochDone] = field(default_factory=list)
    best_epoch: EpochDone | None = None
    attempts: int = 0
    failures: list[AttemptFailed] = field(default_factory=list)
    reason: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in ("completed", "pruned", "failed")

    @property
    def epoch(self) -> int:
        """The last acknowledged epoch, 0 before the first."""
        return self.epochs[-1].epoch if self.epochs else 0

    @property
    def best_value(self) -> float | None:
        """The value of its best epoch."""
        return self.best_epoch.value if self.best_epoch else None


class Best(NamedTuple):
    """A study's best trial, and the epoch that makes it so."""

    trial: Trial
    epoch: EpochDone

    @property
    def value(self) -> float:
        """The epoch's value, which is finite."""
        assert self.epoch.value is not None
        return self.epoch.value


class StudyState:
    """Trials in number order, the rungs, and what the sessions left.

    Attributes:
        revision: how often the study was changed; what was derived from an earlier one is stale.
        ended_order: numbers of the ended trials, in the order of their ends.
    """

    def __init__(self, created: StudyCreated) -> None:
        self.created = created
        self.revision = -1
        self.trials: list[Trial] = []
        self.ended_order: list[int] = []
        self.ends: Counter[EndState] = Counter()
        self.session: SessionStarted | None = None
        self.session_end: SessionEnded | None = None
        self._best: Best | None = None
        self._adopt(created)
        self.total = self.spec.search.trials

    def _adopt(self, event: StudyCreated | SpecChanged) -> None:
        """Search by this event's spec and data from here on."""
        self.spec = StudySpec.from_tables(event.spec)
        self.hyperparameters, self.data = event.hyperparameters, event.data
        self.objective = self.spec.objective
        self.space = parse_space(self.spec.space, event.hyperparameters)
        self.rungs = Rungs.empty(self.spec.stopping)
        self.revision += 1

    def apply(self, event: Event) -> None:
        """Take one event in.

        Raises:
            JournalDamaged: the event cannot follow those before it.
        """
        match event:
            case SessionStarted():
                self._start_session(event)
            case SessionEnded():
                self.session_end = event
            case SpecChanged():
                self._change(event)
            case TrialCreated():
                self._create(event)
            case AttemptStarted():
                trial = self._open(event.trial)
                trial.attempts, trial.state = event.attempt, "running"
            case EpochDone():
                self._take_epoch(event)
            case AttemptFailed():
                trial = self._open(event.trial)
                trial.failures.append(event)
                trial.state = "waiting"
            case TrialEnded():
                self._end(event)
            case TrialRestored() | TrialMoved():
                self._open(event.trial)
            case StudyCreated():
                raise JournalDamaged("the journal begins twice")

    def present_spec(self) -> StudySpec:
        """Return the study as it goes on: trials in all and resources are the last session's."""
        update: dict[str, Any] = {
            "search": self.spec.search.model_copy(update={"trials": self.total})
        }
        if self.session is not None:
            update["resources"] = ResourcesSpec.model_validate(self.session.resources)
        return self.spec.model_copy(update=update)

    def _start_session(self, event: SessionStarted) -> None:
        self.session, self.session_end, self.total = event, None, event.total
        for trial in self.trials:
            if trial.state == "running":
                trial.state = "waiting"

    def _change(self, event: SpecChanged) -> None:
        self._adopt(event)
        self._best = None
        for trial in self.trials:
            trial.epochs = [revalued(epoch, self.objective) for epoch in trial.epochs]
            trial.best_epoch = best_of(trial.epochs, self.objective)
            if trial.data != self.data:
                continue
            for epoch in trial.epochs:
                if epoch.value is not None:
                    self.rungs.record(trial.number, epoch.epoch, epoch.value)
            self._update_best(trial)

    def _create(self, event: TrialCreated) -> None:
        if event.trial != len(self.trials):
            raise JournalDamaged(f"the journal has trial {event.trial} out of order")
        attributes = event.attributes
        self.trials.append(
            Trial(event.trial, self.spec, self.data, event.params, event.origin, attributes)
        )

    def _take_epoch(self, event: EpochDone) -> None:
        trial = self._open(event.trial)
        if event.epoch != trial.epoch + 1:
            raise JournalDamaged(
                f"the journal has epoch {event.epoch} of trial {event.trial} after {trial.epoch}"
            )
        trial.epochs.append(event)
        if event.value is None:
            return
        self.rungs.record(event.trial, event.epoch, event.value)
        best = trial.best_value
        if best is None or self.objective.improves(event.value, best):
            trial.best_epoch = event
            self._update_best(trial)

    def _update_best(self, trial: Trial) -> None:
        """Let a trial lead if its best epoch beats the leader's; ties go to the lower number.

        Incremental, since a scan at each epoch is quadratic.
        """
        epoch = trial.best_epoch
        if epoch is None or epoch.value is None or trial.data != self.data:
            return
        best = self._best
        if best is not None:
            earlier = epoch.value == best.value and trial.number < best.trial.number
            if not earlier and not self.objective.improves(epoch.value, best.value):
                return
        self._best = Best(trial, epoch)

    def _end(self, event: TrialEnded) -> None:
        trial = self._open(event.trial)
        trial.state, trial.reason = event.state, event.reason
        self.ends[event.state] += 1
        self.ended_order.append(event.trial)

    def _open(self, number: int) -> Trial:
        if not 0 <= number < len(self.trials) or self.trials[number].ended:
            raise JournalDamaged(f"the journal has a line of trial {number}, which is not open")
        return self.trials[number]

    def is_comparable(self, trial: Trial) -> bool:
        """Whether a trial is over the study's present data; figures of other data say nothing."""
        return trial.data == self.data

    def comparable_trials(self) -> list[Trial]:
        """Return the trials over the study's present data."""
        return [trial for trial in self.trials if self.is_comparable(trial)]

    def pending_end(self, trial: Trial) -> tuple[EndState, str | None] | None:
        """Return the end that is due and not yet recorded.

        A trial's last decision ends it, and so does a change of the study's data.
        """
        if trial.ended:
            return None
        if not self.is_comparable(trial):
            return "pruned", "the study goes on over other data"
        last = trial.epochs[-1] if trial.epochs else None
        return (ENDS[last.decision], last.reason) if last and last.decision in ENDS else None

    @property
    def ended(self) -> int:
        """How many trials have ended, failed ones too."""
        return len(self.ended_order)

    @property
    def finished(self) -> bool:
        """Whether all wanted trials have ended."""
        return self.ended >= self.total

    def best(self) -> Best | None:
        """Return the comparable trial with the best finite epoch, however it ended; of equals the
        lowest number."""
        return self._best


def replay(events: Sequence[Event]) -> StudyState:
    """Return the state after these events.

    Raises:
        JournalDamaged: the first is not the study's, or one cannot follow the others.
    """
    if not events or not isinstance(events[0], StudyCreated):
        raise JournalDamaged("the journal does not begin with its study")
    try:
        state = StudyState(events[0])
        for event in events[1:]:
            state.apply(event)
    except ValidationError as error:
        what = error.errors()[0]
        raise JournalDamaged(
            f"the journal holds a study that this version cannot read: {what['loc']}: {what['msg']}"
        ) from error
    return state
