"""The state of a study: a fold over its journal's events, the same live and at replay."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

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
from search.policy.halving import Asha, new_asha
from search.spec.study import ResourcesSpec, StudySpec

#: ``waiting``: to be handed out, for the first time or again.
TrialState = Literal["waiting", "running", "completed", "pruned", "failed"]


@dataclass
class Trial:
    """One configuration and all that is known of it; ``spec`` and ``corpus`` are the study's when
    it was made."""

    number: int
    spec: StudySpec
    corpus: str
    params: dict[str, Any]
    origin: str
    state: TrialState = "waiting"
    epochs: list[EpochDone] = field(default_factory=list)
    attempts: int = 0
    failures: list[AttemptFailed] = field(default_factory=list)
    reason: str | None = None

    @property
    def ended(self) -> bool:
        return self.state in ("completed", "pruned", "failed")

    @property
    def epoch(self) -> int:
        """The last acknowledged epoch, 0 before the first."""
        return self.epochs[-1].epoch if self.epochs else 0

    def best_epoch(self, mode: str) -> EpochDone | None:
        """The epoch with the best finite value, the earliest of equals."""
        return best_of(self.epochs, mode)


class StudyState:
    """Trials in number order, ASHA's rungs, and what the sessions left."""

    def __init__(self, created: StudyCreated) -> None:
        self.created = created
        self.corpus = created.corpus
        self.trials: list[Trial] = []
        self.spec = StudySpec.model_validate(created.spec)
        self.asha = self._rungs()
        self.total = self.spec.search.trials
        self.session: SessionStarted | None = None
        self.session_end: SessionEnded | None = None
        self.ends: Counter[EndState] = Counter()
        self._best: tuple[Trial, float] | None = None

    def apply(self, event: Event) -> None:
        """Takes one event in.

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
                if event.trial != len(self.trials):
                    raise JournalDamaged(f"the journal has trial {event.trial} out of order")
                self.trials.append(
                    Trial(event.trial, self.spec, self.corpus, event.params, event.origin)
                )
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
                trial = self._open(event.trial)
                trial.state, trial.reason = event.state, event.reason
                self.ends[event.state] += 1
            case TrialRestored() | TrialMoved():
                self._open(event.trial)
            case StudyCreated():
                raise JournalDamaged("the journal begins twice")

    def present_spec(self) -> StudySpec:
        """The study as it goes on: trials in all and resources are the last session's."""
        update: dict[str, Any] = {
            "search": self.spec.search.model_copy(update={"trials": self.total})
        }
        if self.session is not None:
            update["resources"] = ResourcesSpec.model_validate(self.session.resources)
        return self.spec.model_copy(update=update)

    def _rungs(self) -> Asha:
        """The present spec's rungs, with every value the journal has for them."""
        stopping = self.spec.stopping
        asha = new_asha(
            stopping.grace_epochs, stopping.reduction_factor, stopping.max_epochs, self.spec.mode
        )
        for trial in self.comparable_trials():
            for epoch in trial.epochs:
                if epoch.value is not None:
                    asha.record(trial.number, epoch.epoch, epoch.value)
        return asha

    def _change(self, event: SpecChanged) -> None:
        self.spec, self.corpus = StudySpec.model_validate(event.spec), event.corpus
        for trial in self.trials:
            trial.epochs = [revalued(epoch, self.spec.metric) for epoch in trial.epochs]
        self.asha = self._rungs()
        self._best = None
        for trial in self.comparable_trials():
            for epoch in trial.epochs:
                self._update_best(trial, epoch.value)

    def comparable_trials(self) -> list[Trial]:
        """The trials over the study's present data: figures of other data say nothing here."""
        return [trial for trial in self.trials if trial.corpus == self.corpus]

    def pending_end(self, trial: Trial) -> tuple[EndState, str | None] | None:
        """How a trial must end by its last decision, or for its data is no longer the study's."""
        if trial.ended:
            return None
        if trial.corpus != self.corpus:
            return "pruned", "the study goes on over other data"
        last = trial.epochs[-1] if trial.epochs else None
        return (ENDS[last.decision], last.reason) if last and last.decision in ENDS else None

    def _start_session(self, event: SessionStarted) -> None:
        self.session, self.session_end, self.total = event, None, event.total
        for trial in self.trials:
            if trial.state == "running":
                trial.state = "waiting"

    def _take_epoch(self, event: EpochDone) -> None:
        trial = self._open(event.trial)
        if event.epoch != trial.epoch + 1:
            raise JournalDamaged(
                f"the journal has epoch {event.epoch} of trial {event.trial} after {trial.epoch}"
            )
        trial.epochs.append(event)
        if event.value is not None:
            self.asha.record(event.trial, event.epoch, event.value)
        self._update_best(trial, event.value)

    def _update_best(self, trial: Trial, value: float | None) -> None:
        """Puts a trial first if this value of its is better than the best, or as good and the
        trial's number lower; kept at every epoch, for to look for it would take longer and longer.
        """
        if value is None or trial.corpus != self.corpus:
            return
        best, best_value = self._best or (None, 0.0)
        better = value > best_value if self.spec.mode == "max" else value < best_value
        earlier = best is not None and value == best_value and trial.number < best.number
        if best is None or better or earlier:
            self._best = trial, value

    def _open(self, number: int) -> Trial:
        if not 0 <= number < len(self.trials) or self.trials[number].ended:
            raise JournalDamaged(f"the journal has a line of trial {number}, which is not open")
        return self.trials[number]

    @property
    def ended(self) -> int:
        """How many trials have ended, failed ones too."""
        return self.ends.total()

    @property
    def finished(self) -> bool:
        """Whether all wanted trials have ended."""
        return self.ended >= self.total

    def best(self) -> Trial | None:
        """The trial with the best finite epoch of those compared, however it ended; of equals the
        lowest number."""
        return self._best[0] if self._best else None


def best_of(epochs: list[EpochDone], mode: str) -> EpochDone | None:
    """The epoch with the best finite value, the earliest of equals."""
    sign = 1.0 if mode == "max" else -1.0
    finite = [(sign * e.value, -e.epoch, e) for e in epochs if e.value is not None]
    return max(finite)[2] if finite else None


def revalued(epoch: EpochDone, metric: str) -> EpochDone:
    """An epoch as a study with this metric values it."""
    return epoch.model_copy(update={"value": value_of(epoch.metrics, metric)})


def value_of(metrics: dict[str, float | None], metric: str) -> float | None:
    """What an epoch is worth; None if any of its metrics is not finite: a network of NaN has an
    accuracy too, that of the first class."""
    return None if None in metrics.values() else metrics.get(metric)


def replay(events: list[Event]) -> StudyState:
    """The state after these events.

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
