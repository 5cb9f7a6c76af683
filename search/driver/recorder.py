"""A study at work: the journal and the state moved together, one event at a time.

``StudyRecorder`` is the journal's only writer. Observers (TensorBoard, progress, hang watch,
retention) follow the events it records, and decide nothing. They may be told of several together:
what they need has left the processor's caches by the next epoch of another trial, and fetching it
takes longer than the work.
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import Literal

from search.driver.assignments import assign
from search.driver.preparation import PreparedData
from search.errors import StudyFailed
from search.journal.events import (
    AttemptFailed,
    AttemptStarted,
    EpochDone,
    Event,
    OutlookTaken,
    SessionEnded,
    SessionStarted,
    SpecChanged,
    TrialEnded,
)
from search.journal.folder import StudyDir
from search.journal.journal import Journal
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.journal.unreported import read_unreported
from search.policy.decisions import judge
from search.policy.failures import Failure, retries
from search.policy.outlook import conclude, take_outlook
from search.policy.pausing import all_given_up, next_to_go_on, surplus
from search.policy.samplers.registry import TrialChooser
from search.spec.study import ResourcesSpec
from trainables.attempts.messages import Assignment, Report

Observer = Callable[[Event, StudyState], None]

#: When the first so many trials of a session have all failed for one cause, more would too.
MAX_COMMON_FAILURES = 5


class StudyRecorder:
    """Hands out work and takes in results; whatever it says is in the journal first."""

    def __init__(
        self,
        folder: StudyDir,
        journal: Journal,
        state: StudyState,
        prepared: PreparedData,
        outlook: Callable[[StudyState], OutlookTaken | None] = take_outlook,
        tell_seconds: float = 0.0,
    ) -> None:
        """Observers are told of an event at once, or ``tell_seconds`` later where somebody calls
        ``tell_when_due`` as often."""
        self.state, self._outlook = state, outlook
        self._folder, self._journal, self._prepared = folder, journal, prepared
        self._chooser = TrialChooser()
        self._observers: list[Observer] = []
        self._untold: list[Event] = []
        self._tell_seconds, self._told = tell_seconds, time.monotonic()
        self._ended_before, self._any_paused = 0, False
        self._looked_at = 0
        self._resources = state.spec.resources

    def follow(self, observer: Observer) -> None:
        """Tell ``observer`` of every event from now on."""
        self.tell()  # those before are not for it
        self._observers.append(observer)

    def begin(
        self, session: SessionStarted, resources: ResourcesSpec, change: SpecChanged | None = None
    ) -> list[Event]:
        """Open a session; return all recorded events.

        Take in reports left by a dead driver, record ``change`` and the session, then end trials
        whose last decision was never applied.
        """
        self._resources = resources
        running = [self.state.trials[number] for number in sorted(self.state.trials.running)]
        left = [e for trial in running for e in self._take(self._unreported(trial))]
        self._publish(left)
        events: list[Event] = [*([change] if change else []), session]
        self._record(*events)
        ends: list[Event] = []
        for trial in self.state.trials.all_open():
            due = self.state.pending_end(trial)
            if due is not None:
                ends.append(TrialEnded(trial=trial.number, state=due[0], reason=due[1]))
                self._record(ends[-1])
        over = surplus(self.state)
        self._record(*over)
        ends += over
        ended, outlook = self.state.trials.ended, self.state.outlook
        self._ended_before = ended
        self._looked_at = ended if outlook is not None and outlook.ended == ended else ended - 1
        return [*left, *events, *ends]

    def end(self, reason: str) -> None:
        """Close the session; every observer knows of all then."""
        self._record(SessionEnded(reason=reason))
        self.tell()

    def next(self) -> Assignment | Literal["wait", "finished"]:
        """Return the next attempt to start: one that was in flight, else a paused trial that may
        go on, else a new one."""
        state = self.state
        self._look_ahead()
        waiting = state.trials.next_waiting() or next_to_go_on(state)
        if waiting is None and len(state.trials) < state.total:
            self._record(self._chooser.choose(state))
            waiting = state.trials[-1]
        if waiting is None:
            if not state.trials.running:
                self._record(*all_given_up(state))
                self._look_ahead()
            return "finished" if state.finished else "wait"
        attempt = AttemptStarted(
            trial=waiting.number, attempt=waiting.attempts + 1, from_epoch=waiting.epoch
        )
        self._record(attempt)
        return assign(waiting, state, self._resources, self._prepared, self._folder)

    def _look_ahead(self) -> None:
        """Reckon how the search stands, where a tenth more trials have ended or all, which takes a
        tenth of a second; and conclude it, where it has nothing left to gain."""
        ended = self.state.trials.ended
        if ended > self._looked_at:
            due = _grew_by_a_tenth(self._looked_at, ended) or self.state.finished
            due &= self.state.total > len(self.state.spec.first)  # else nothing is searched
            self._looked_at = ended
            outlook = self._outlook(self.state) if due else None
            self._record(*([outlook] if outlook else []))
        concluded = conclude(self.state)
        self._record(*([concluded] if concluded else []))

    def report(self, reports: Sequence[Report]) -> bool:
        """Take in epochs of one attempt, in order; True when the trial goes on.

        What follows the trial's end, or is of an attempt that is no longer its own, is ignored.

        Raises:
            StudyFailed: a checkpoint cannot be seen from here, or the journal not written.
        """
        events = self._take(reports)
        self._publish(events)
        return bool(events) and self.state.trials[reports[0].number].state == "running"

    def _unreported(self, trial: Trial) -> list[Report]:
        return read_unreported(self._folder, trial) if trial.state == "running" else []

    def _take(self, reports: Sequence[Report]) -> list[Event]:
        """Decide on epochs in order, and apply the events they become."""
        events: list[Event] = []
        for report in reports:
            taken = self._events_of(report)
            self._apply(taken)
            over = surplus(self.state)
            self._apply(over)
            events += [*taken, *over]
        return events

    def _events_of(self, report: Report) -> list[Event]:
        """Return the events of an epoch; none if it is not the trial's next."""
        trial = self.state.trials[report.number]
        stale = trial.state != "running" or trial.attempts != report.attempt
        if stale or report.epoch != trial.epoch + 1:
            return []
        if not self._folder.wait_for_file(report.checkpoint.path):
            raise StudyFailed(
                f"trial {report.number} on {report.host} has written its checkpoint where this "
                "machine cannot see it: --results-dir must be a folder that all nodes share"
            )
        return judge(self.state, report)

    def fail(self, number: int, attempt: int, failure: Failure) -> None:
        """Take in the end of an attempt; the trial waits for another or has failed."""
        trial = self.state.trials[number]
        if trial.state != "running" or trial.attempts != attempt:
            return
        self.report(self._unreported(trial))
        if trial.state != "running":
            return
        events: list[Event] = [
            AttemptFailed(
                trial=number,
                attempt=attempt,
                kind=failure.kind,
                cause=failure.cause,
                detail=failure.detail,
            )
        ]
        alike = sum(f.kind == failure.kind for f in trial.failures)
        if alike >= retries(failure.kind, self._resources.max_failures):
            events.append(TrialEnded(trial=number, state="failed", reason=failure.cause))
        self._record(*events)

    def common_failure(self) -> str | None:
        """Return the cause for which this session's first trials have all failed, if it is one.

        A trial that was paused has not failed, and those that do may end before it.
        """
        if self._any_paused:
            return None
        until = self._ended_before + MAX_COMMON_FAILURES
        numbers = self.state.trials.ended_order[self._ended_before : until]
        first = [self.state.trials[number] for number in numbers]
        if len(first) < MAX_COMMON_FAILURES or any(trial.state != "failed" for trial in first):
            return None
        causes = {re.sub(r"\d+", "N", trial.reason or "") for trial in first}
        return first[0].reason if len(causes) == 1 else None

    def _record(self, *events: Event) -> None:
        """Take events in and make them known."""
        self._apply(events)
        self._publish(events)

    def _apply(self, events: Sequence[Event]) -> None:
        """Move the state: what the next decision is made on, and nobody else sees yet."""
        for event in events:
            self.state.apply(event)
            self._any_paused |= isinstance(event, EpochDone) and event.decision == "pause"

    def _publish(self, events: Sequence[Event]) -> None:
        """Write the journal; then its observers may know."""
        if not events:
            return
        self._journal.append(*events)
        self._untold += events
        self.tell_when_due()

    def tell_when_due(self) -> None:
        """Tell the observers what they do not know, if that was not done a moment ago."""
        if self._untold and time.monotonic() - self._told >= self._tell_seconds:
            self.tell()

    def tell(self) -> None:
        """Tell the observers what they do not know yet.

        Raises:
            StudyFailed: one of them cannot write.
        """
        untold, self._untold = self._untold, []
        self._told = time.monotonic()
        try:
            for event in untold:
                for observer in self._observers:
                    observer(event, self.state)
        except OSError as error:
            raise StudyFailed(str(error)) from error


def _grew_by_a_tenth(before: int, now: int) -> bool:
    """Whether one of 1, 2, … 20, 22, 24, …, each a tenth more than the last, was reached since.

    They are the same for every session of a study: a resumed search looks ahead when one that went
    through would have.
    """
    step = 1
    while step <= before:
        step += max(1, step // 10)
    return step <= now
