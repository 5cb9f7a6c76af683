"""The state of a study: a fold over its journal's events, the same live and at replay."""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError

from search.errors import JournalDamaged
from search.journal.events import (
    ENDS,
    AttemptFailed,
    AttemptStarted,
    EndState,
    EpochDone,
    Event,
    OutlookTaken,
    SearchConcluded,
    SessionEnded,
    SessionStarted,
    SpecChanged,
    StudyCreated,
    TrialCreated,
    TrialEnded,
    TrialMoved,
    TrialRestored,
    WarmStarted,
)
from search.journal.rungs import Rungs
from search.journal.trial import Best, Trial, Trials
from search.spec.space import parse_space
from search.spec.study import ResourcesSpec, StudySpec


class StudyState:
    """The trials, the rungs, and what the sessions left.

    Attributes:
        former: what was taken from other studies at the beginning.
        outlook: how the search stood when that was last reckoned.
        concluded: why no more trials are made; None while there are to be more.
        changes: the study's changes; ``revision`` counts them, and what was derived from an earlier
            one is stale.
        applied: how many events it stands for; the state moves before the journal has them.
    """

    def __init__(self, created: StudyCreated) -> None:
        self.created = created
        self.applied = 1
        self.former: list[WarmStarted] = []
        self.outlook: OutlookTaken | None = None
        self.concluded: str | None = None
        self.changes: list[SpecChanged] = []
        self.trials = Trials()
        self.session: SessionStarted | None = None
        self.session_end: SessionEnded | None = None
        self._leader: Trial | None = None
        self._adopt(created)
        self.total = self.spec.search.trials

    @property
    def revision(self) -> int:
        """How often the study was changed."""
        return len(self.changes)

    def _adopt(self, event: StudyCreated | SpecChanged) -> None:
        """Search by this event's spec and data from here on."""
        self.spec = StudySpec.from_tables(event.spec)
        self.hyperparameters, self.data = event.hyperparameters, event.data
        self.objective = self.spec.objective
        self.space = parse_space(self.spec.space, event.hyperparameters)
        self.rungs = Rungs.empty(self.spec.stopping)

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
            case WarmStarted():
                self.former.append(event)
            case OutlookTaken():
                self.outlook = event
            case SearchConcluded():
                self.total, self.concluded = event.total, event.reason
            case TrialCreated():
                self._create(event)
            case AttemptStarted():
                self._start_attempt(event)
            case EpochDone():
                self._take_epoch(event)
            case AttemptFailed():
                trial = self.trials.open(event.trial)
                trial.failures.append(event.model_copy(update={"detail": ""}))  # its log has it
                self.trials.move(trial, "waiting")
            case TrialEnded():
                self._end(event)
            case TrialRestored() | TrialMoved():
                self.trials.open(event.trial)
            case StudyCreated():
                raise JournalDamaged("the journal begins twice")
        self.applied += 1

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
        if event.total > len(self.trials) and self.concluded is not None:
            self.concluded = None
            if self.outlook is not None:  # it is looked at anew before it concludes again
                self.outlook = self.outlook.model_copy(update={"left": 0})
        for number in sorted(self.trials.running):
            self.trials.move(self.trials[number], "waiting")

    def _change(self, event: SpecChanged) -> None:
        self.changes.append(event)
        before = self._sought()
        self._adopt(event)
        self._leader = None
        if self._sought() != before:
            self.outlook = None
        for trial in self.trials:
            trial.epochs.revalue(self.objective)
            self._compare(trial)

    def _sought(self) -> tuple[Any, ...]:
        """Return what an outlook is of: another is to be reckoned where it changes."""
        spec = self.spec
        return self.objective, self.data, self.space, spec.fixed, spec.stopping.max_epochs

    def _compare(self, trial: Trial) -> None:
        """Put a trial's epochs in the rungs, and let it lead if it is the best."""
        if trial.data != self.data:
            return
        if trial.state != "failed":
            for epoch, cost in self._costs(trial):
                self.rungs.record(epoch, cost)
                if trial.went_on_from(epoch):
                    self.rungs.let_go(epoch)
        self._update_best(trial)

    def _costs(self, trial: Trial) -> Iterator[tuple[int, float]]:
        """Yield the rungs that a trial came to, with its costs there."""
        for epoch in self.rungs.epochs:
            value = trial.epochs.value(epoch - 1) if epoch <= trial.compared else None
            if value is not None:
                yield epoch, self.objective.cost(value)

    def _create(self, event: TrialCreated) -> None:
        self.trials.add(
            Trial(
                number=event.trial,
                spec=self.spec,
                revision=self.revision,
                data=self.data,
                params=event.params,
                origin=event.origin,
                attributes=event.attributes,
                repeats=event.repeats,
            )
        )

    def _start_attempt(self, event: AttemptStarted) -> None:
        trial = self.trials.open(event.trial)
        trial.attempts = event.attempt
        if trial.state == "paused" and self.is_comparable(trial):
            self.rungs.let_go(trial.epoch)
        self.trials.move(trial, "running")

    def _take_epoch(self, event: EpochDone) -> None:
        trial = self.trials.open(event.trial)
        if event.epoch != trial.epoch + 1:
            raise JournalDamaged(
                f"the journal has epoch {event.epoch} of trial {event.trial} after {trial.epoch}"
            )
        if not trial.epochs and (event.host is None or event.numerics is None):
            raise JournalDamaged(f"the journal does not say where trial {event.trial} began")
        improved = trial.epochs.append(event, self.objective)
        end = ENDS.get(event.decision)
        trial.due = None if end is None else (end, event.reason)
        if event.value is not None and self.is_comparable(trial) and trial.audited is None:
            self.rungs.record(event.epoch, self.objective.cost(event.value))
            if event.decision == "continue" and not event.audited:
                self.rungs.let_go(event.epoch)
        if event.audited:
            trial.audited = event.epoch
        if improved:
            self._update_best(trial)
        if event.decision == "pause":
            self.trials.move(trial, "paused")

    def _update_best(self, trial: Trial) -> None:
        """Let a trial lead if its best epoch beats the leader's; ties go to the lower number.

        Incremental, since a scan at each epoch is quadratic.
        """
        value = trial.best_value
        if value is None or trial.data != self.data:
            return
        best = self._leader.best_value if self._leader else None
        if self._leader is not None and best is not None:
            earlier = value == best and trial.number < self._leader.number
            if not earlier and not self.objective.improves(value, best):
                return
        self._leader = trial

    def _end(self, event: TrialEnded) -> None:
        trial = self.trials.open(event.trial)
        trial.reason = event.reason
        if event.state == "failed" and self.is_comparable(trial):
            # Nobody waits for a place behind one that came to nothing.
            for epoch, cost in self._costs(trial):
                self.rungs.withdraw(epoch, cost, trial.went_on_from(epoch))
        self.trials.end(trial, event.state)

    def take_back(self, trials: Iterable[Trial], ended_order: Iterable[int]) -> None:
        """Take in trials, in number order, of which nothing is known here yet."""
        for trial in trials:
            self.trials.add(trial)
            self._compare(trial)
        for number in ended_order:
            self.trials.count_end(self.trials[number])

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
        return trial.due

    @property
    def finished(self) -> bool:
        """Whether all wanted trials have ended."""
        return self.trials.ended >= self.total

    def best(self) -> Best | None:
        """Return the comparable trial with the best finite epoch, however it ended; of equals the
        lowest number."""
        leader = self._leader
        epoch = leader.best_epoch if leader else None
        return Best(leader, epoch) if leader and epoch else None


def replay(events: Iterable[Event], state: StudyState | None = None) -> StudyState:
    """Return the state after these events, behind ``state`` if there is one.

    Raises:
        JournalDamaged: the first is not the study's, or one cannot follow the others.
    """
    try:
        for event in events:
            if state is not None:
                state.apply(event)
            elif isinstance(event, StudyCreated):
                state = StudyState(event)
            else:
                break
    except ValidationError as error:
        what = error.errors()[0]
        raise JournalDamaged(
            f"the journal holds a study that this version cannot read: {what['loc']}: {what['msg']}"
        ) from error
    if state is None:
        raise JournalDamaged("the journal does not begin with its study")
    return state
