"""TensorBoard's run of each trial: its row in HParams, its curves, its end."""

import bisect
from typing import Any

from search.journal.events import EpochDone, Event, TrialCreated, TrialEnded
from search.journal.layout import trial_run
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.monitor import hparams
from search.monitor.event_files import EventFiles, scalars


class TrialRuns:
    """Follows the trials of a study into a run each.

    ``all`` are written as they go. Of ``top:N`` a trial is written when it has ended, whole, if it
    is among the best N until then; of ``study`` none is.
    """

    def __init__(self, state: StudyState, files: EventFiles, examples: int) -> None:
        self._state, self._files, self._examples = state, files, examples
        self._best: dict[int, float] = {}
        kind, _, count = state.present_spec().resources.tensorboard.partition(":")
        self._live, self._room = kind == "all", int(count or 0)
        self._top: list[float] = []

    def restore(self, dumped: list[float]) -> None:
        """Go on with the costs of the best trials that were written before."""
        self._top = dumped

    def dump(self) -> list[float]:
        """Return what ``restore`` takes."""
        return self._top

    def follow(self, event: Event, when: float) -> None:
        """Write what one event adds; ``when`` is in seconds since 1970."""
        match event:
            case TrialCreated() if self._live:
                self._begin(self._state.trials[event.trial], when)
            case EpochDone() if self._live:
                self._write_epoch(event, when)
            case TrialEnded():
                self._follow_end(self._state.trials[event.trial], when)
            case _:
                pass

    def _follow_end(self, trial: Trial, when: float) -> None:
        if not self._live:
            if not self._enters(trial):
                return
            self._write_whole(trial, when)
        self._end(trial, when)

    def _enters(self, trial: Trial) -> bool:
        """Whether an ended trial is among the best; its place is then taken."""
        if trial.best_value is None or not self._room or not self._state.is_comparable(trial):
            return False
        cost = self._state.objective.cost(trial.best_value)
        if len(self._top) == self._room and cost >= self._top[-1]:
            return False
        bisect.insort(self._top, cost)
        del self._top[self._room :]
        return True

    def _begin(self, trial: Trial, when: float) -> None:
        columns = hparams.trial_columns(trial, self._state, ended=False)
        self._write(trial.number, hparams.trial_started(columns, when))

    def _write_epoch(self, event: EpochDone, when: float) -> None:
        """Write an epoch, and the best value up to it.

        The state may be further on, for it takes all epochs of a message in before any is told.
        """
        value = self._state.trials[event.trial].epochs.value(event.epoch - 1)
        best = self._best_up_to(event.trial, event.epoch, value)
        self._write_point(event.trial, event.epoch, event.metrics, event.seconds, best, when)

    def _write_whole(self, trial: Trial, when: float) -> None:
        """Write a trial that has ended; its epochs' times follow from how long they took."""
        began = when - trial.epochs.total_seconds()
        self._begin(trial, began)
        for epoch in trial.epochs:
            began += epoch.seconds
            best = self._best_up_to(trial.number, epoch.epoch, epoch.value)
            self._write_point(trial.number, epoch.epoch, epoch.metrics, epoch.seconds, best, began)

    def _write_point(
        self,
        trial: int,
        epoch: int,
        metrics: dict[str, float | None],
        seconds: float,
        best: float | None,
        when: float,
    ) -> None:
        values = {**metrics, "time/epoch_seconds": seconds, "trial/epochs": float(epoch)}
        if self._examples and seconds > 0:
            values["time/examples_per_second"] = self._examples / seconds
        values[hparams.best_tag(self._state.objective.metric)] = best
        self._write(trial, scalars(values, epoch, when))

    def _best_up_to(self, trial: int, epoch: int, value: float | None) -> float | None:
        before, cost = self._best.get(trial), self._state.objective.cost
        if before is None:  # a new trial, or one of an earlier session
            epochs = self._state.trials[trial].epochs
            earlier = [epochs.value(index) for index in range(epoch - 1)]
            before = min((v for v in earlier if v is not None), key=cost, default=None)
        both = [v for v in (before, value) if v is not None]
        best = min(both, key=cost, default=None)
        if best is not None:
            self._best[trial] = best
        return best

    def _end(self, trial: Trial, when: float) -> None:
        run = trial_run(trial.number)
        self._write(trial.number, hparams.trial_ended(trial.state == "failed", when))
        self._files.close(run)
        columns = hparams.trial_columns(trial, self._state, ended=True)
        began = when - trial.epochs.total_seconds()
        self._files.write_first(run, hparams.trial_started(columns, began))
        self._best.pop(trial.number, None)

    def _write(self, trial: int, event: Any) -> None:
        self._files.write(trial_run(trial), event)
