"""A study at work: the journal, the state and the sampler moved together, one event at a time.

``Study`` is the only writer. Every view of it (TensorBoard, progress, checkpoint keeping) follows
the events it records; nothing else in the house decides anything.
"""

import re
from collections.abc import Callable, Sequence
from typing import Literal

from search.decisions import judge
from search.errors import StudyFailed
from search.events import (
    AttemptFailed,
    AttemptStarted,
    EpochDone,
    Event,
    SessionEnded,
    SessionStarted,
    SpecChanged,
    TrialEnded,
)
from search.failures import Failure, retries
from search.journal import Journal
from search.preparation import Prepared
from search.sampler import Sampler, derive_seed
from search.spec import ResourcesSpec
from search.state import StudyState, Trial
from search.store import StudyDir
from search.unsent import read_unsent
from trainables.messages import Assignment, Report

View = Callable[[Event, StudyState], None]

#: When the first so many trials have all failed for one cause, more would too.
ALIKE = 5


class Study:
    """Hands out work and takes in results; whatever it says is in the journal first."""

    def __init__(
        self, folder: StudyDir, journal: Journal, state: StudyState, prepared: Prepared
    ) -> None:
        self.state = state
        self._folder, self._journal, self._prepared = folder, journal, prepared
        self._sampler = Sampler(state.spec)
        self._views: list[View] = []
        self._ended: list[int] = []
        self._resources = state.spec.resources

    def replay_into_sampler(self, events: list[Event]) -> None:
        """Brings the sampler to where the journal is."""
        for event in events:
            self._sampler.apply(event)

    def follow(self, view: View) -> None:
        """Calls ``view`` after every event from now on."""
        self._views.append(view)

    def begin(
        self, session: SessionStarted, resources: ResourcesSpec, change: SpecChanged | None = None
    ) -> list[Event]:
        """Opens a session, searches differently from here on if there is a ``change``, and
        carries out every end that is owed; returns what it has recorded. Before that, what trials
        had finished when the last driver died is taken in."""
        self._resources = resources
        unheard = [e for trial in self.state.trials for e in self._take(self._unsent(trial))]
        self._publish(unheard)
        events: list[Event] = [*([change] if change else []), session]
        self._record(*events)
        events = unheard + events
        for trial in self.state.trials:
            owed = self.state.owed_end(trial)
            if owed is not None:
                events.append(TrialEnded(trial=trial.number, state=owed[0], reason=owed[1]))
                self._record(events[-1])
        self._ended.clear()  # of this session's own trials, none has ended yet
        return events

    def end(self, reason: str) -> None:
        """Closes the session."""
        self._record(SessionEnded(reason=reason))

    def next(self) -> Assignment | Literal["wait", "finished"]:
        """The next attempt to start: one that was in flight, else a new trial."""
        state = self.state
        waiting = next((t for t in state.trials if t.state == "waiting"), None)
        if waiting is None and len(state.trials) < state.total:
            self._record(self._sampler.suggest(len(state.trials)))
            waiting = state.trials[-1]
        if waiting is None:
            return "finished" if state.finished else "wait"
        attempt = AttemptStarted(
            trial=waiting.number, attempt=waiting.attempts + 1, from_epoch=waiting.epoch
        )
        self._record(attempt)
        return self._assignment(waiting, attempt.attempt)

    def _assignment(self, trial: Trial, attempt: int) -> Assignment:
        spec, vectors = trial.spec, self._prepared.vectors(trial.spec)
        hyperparameters = spec.hyperparameters(trial.params, vectors)
        start = vectors.get(hyperparameters.embedding)
        begun = trial.epochs[-1] if trial.epochs else None
        return Assignment(
            number=trial.number,
            attempt=attempt,
            task=spec.task,
            hyperparameters=hyperparameters,
            seed=derive_seed(spec.search.seed, "trial", trial.number),
            max_epochs=spec.stopping.max_epochs,
            corpus=str(self._prepared.corpus.path),
            vectors=start.name if start else None,
            max_tokens=spec.data.max_tokens,
            keep=spec.data.keep,
            folder=str(self._folder.root),
            checkpoint_prefix=self._folder.checkpoint_prefix(trial.number, attempt),
            unsent=self._folder.unsent(trial.number, attempt),
            rungs=tuple(self.state.asha.rungs),
            restore=tuple(
                e.checkpoint
                for e in reversed(trial.epochs)
                if (self._folder.root / e.checkpoint.path).exists()
            ),
            acknowledged=trial.epoch,
            threads=begun.threads if begun else self._resources.cpus_per_trial,
            precision=self._precision(begun),
            insists_on_precision=begun is None and self._resources.precision != "auto",
            keep_freed_memory=self._resources.keep_freed_memory,
            device="cuda" if self._resources.gpus_per_trial > 0 else "cpu",
        )

    def _precision(self, begun: EpochDone | None) -> str:
        """What the trial began with; for a new one what is asked for, and if that is to be
        measured, what the study's first trial on this kind of device has measured."""
        wanted, on_gpu = self._resources.precision, self._resources.gpus_per_trial > 0
        if begun is None and wanted == "auto":
            first = (t.epochs[0] for t in self.state.trials if t.epochs)
            begun = next((e for e in first if (e.device != "cpu") == on_gpu), None)
        return begun.precision if begun else wanted

    def report(self, reports: Sequence[Report]) -> bool:
        """Takes epochs of one attempt in, in order; True when the trial goes on.

        What follows the trial's end, or is of an attempt that is no longer its own, is ignored.

        Raises:
            StudyFailed: a checkpoint cannot be seen from here, or the journal not written.
        """
        events = self._take(reports)
        self._publish(events)
        return isinstance(events[-1], EpochDone) if events else False

    def _unsent(self, trial: Trial) -> list[Report]:
        return read_unsent(self._folder, trial) if trial.state == "running" else []

    def _take(self, reports: Sequence[Report]) -> list[Event]:
        """Decides on epochs in order, and applies what they are in the journal."""
        events: list[Event] = []
        for report in reports:
            taken = self._events_of(report)
            self._apply(taken)
            events += taken
        return events

    def _events_of(self, report: Report) -> list[Event]:
        """What an epoch is in the journal; nothing if it is not the trial's next."""
        trial = self.state.trials[report.number]
        stale = trial.state != "running" or trial.attempts != report.attempt
        if stale or report.epoch != trial.epoch + 1:
            return []
        if not self._folder.sees(report.checkpoint.path):
            raise StudyFailed(
                f"trial {report.number} on {report.host} has written its checkpoint where this "
                "machine cannot see it: --results-dir must be a folder that all nodes share"
            )
        return judge(self.state, report)

    def fail(self, number: int, attempt: int, failure: Failure) -> None:
        """Takes the end of an attempt in; the trial waits for another or has failed."""
        trial = self.state.trials[number]
        if trial.state != "running" or trial.attempts != attempt:
            return
        self.report(self._unsent(trial))
        if trial.ended:
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

    def hopeless(self) -> str | None:
        """The cause for which this session's first trials have all failed, if one cause it is."""
        first = [self.state.trials[number] for number in self._ended[:ALIKE]]
        if len(first) < ALIKE or any(trial.state != "failed" for trial in first):
            return None
        causes = {re.sub(r"\d+", "N", trial.reason or "") for trial in first}
        return first[0].reason if len(causes) == 1 else None

    def _record(self, *events: Event) -> None:
        """Takes events in and makes them known."""
        self._apply(events)
        self._publish(events)

    def _apply(self, events: Sequence[Event]) -> None:
        """State and sampler: what the next decision is made on, and nobody else sees yet."""
        for event in events:
            self.state.apply(event)
            self._sampler.apply(event)
            if isinstance(event, TrialEnded):
                self._ended.append(event.trial)

    def _publish(self, events: Sequence[Event]) -> None:
        """Journal first, then everyone who watches; after it, the answer to whoever has asked."""
        if not events:
            return
        self._journal.append(*events)
        for event in events:
            for view in self._views:
                view(event, self.state)
