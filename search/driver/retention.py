"""Which checkpoints stay on the disk: those that a study can still need.

A trial that may go on keeps its best, and its last two, so that a damaged one has a predecessor; a
paused one its best and its last. Of the trials that have ended, the best ``resources.keep_best``
keep their best, or their last where ``resources.keep`` says so. So the disk holds at most
``keep_best`` files, two a paused trial and three a running one. A file is removed only after the
journal line that makes it superfluous is on the disk.
"""

import bisect
import os
from contextlib import suppress
from typing import NamedTuple

from search.journal.events import EpochDone, Event, TrialEnded
from search.journal.folder import StudyDir
from search.journal.layout import checkpoint_folder, checkpoint_path, read_checkpoint_name
from search.journal.state import StudyState
from search.journal.trial import Trial

#: Newest checkpoints kept of a trial under way.
NEWEST_KEPT = 2


class _Kept(NamedTuple):
    """An acknowledged epoch whose checkpoint is there; the least is the best, then the earliest."""

    cost: float
    epoch: int


class CheckpointKeeper:
    """Follows a study and removes superfluous checkpoints after each epoch."""

    def __init__(
        self, folder: StudyDir, state: StudyState, keep_best: int, keep: str = "best"
    ) -> None:
        """Begin where the journal is, and remove files that a crash has left.

        Make a new keeper when the metric changes: this one remembers each epoch's value.
        """
        self._folder, self._root = folder, folder.root
        self._objective = state.objective
        self._keep_best, self._keeps_last = keep_best, keep == "last"
        self._ranking: list[tuple[float, int]] = []
        #: The files of each trial, and what each is of; None if that was never acknowledged, or has
        #: no finite value.
        self._present: dict[int, dict[str, _Kept | None]] = {}
        for trial in state.trials:
            self._present[trial.number] = self._stored(trial)
            if not state.is_comparable(trial):
                continue  # not compared, and not taken away either
            if trial.ended:
                self._retire(trial, state)
            else:
                self._keep(trial, self._needed(trial))

    def _stored(self, trial: Trial) -> dict[str, _Kept | None]:
        """Return the files that are there of a trial."""
        found: dict[str, _Kept | None] = {}
        for path in self._folder.checkpoints_of(trial.number).glob("*"):
            of, kept = read_checkpoint_name(path.name), None
            if of is not None and 0 < of.epoch <= trial.epoch:
                epoch = trial.epochs[of.epoch - 1]
                if epoch.attempt == of.attempt:
                    kept = self._kept(epoch.epoch, epoch.value)
            found[f"{checkpoint_folder(trial.number)}/{path.name}"] = kept
        return found

    def _kept(self, epoch: int, value: float | None) -> _Kept | None:
        return None if value is None else _Kept(self._objective.cost(value), epoch)

    def __call__(self, event: Event, state: StudyState) -> None:
        """Remove the files that an epoch or an end has made superfluous."""
        if isinstance(event, EpochDone):
            path = checkpoint_path(event.trial, event.attempt, event.epoch)
            kept = self._kept(event.epoch, event.value)
            self._present.setdefault(event.trial, {})[path] = kept
            trial = state.trials[event.trial]
            self._keep(trial, self._needed(trial))
        elif isinstance(event, TrialEnded):
            trial = state.trials[event.trial]
            self._present[trial.number] = self._stored(trial)  # what lost attempts left, too
            self._retire(trial, state)
            for attempt in range(1, trial.attempts + 1):
                (self._root / self._folder.unreported(trial.number, attempt)).unlink(
                    missing_ok=True
                )

    def _needed(self, trial: Trial) -> set[str]:
        """Return the files that a trial which may go on needs: its newest, and its best."""
        last, count = len(trial.epochs), 1 if trial.state == "paused" else NEWEST_KEPT
        newest = {trial.epochs.path(i) for i in range(max(0, last - count), last)}
        return newest | self._best(trial)

    def _best(self, trial: Trial) -> set[str]:
        """Return the best of the files that are there; by another metric the best may be gone."""
        there = self._present.get(trial.number, {}).items()
        ranked = [(kept, path) for path, kept in there if kept is not None]
        return {min(ranked)[1]} if ranked else set()

    def _retire(self, trial: Trial, state: StudyState) -> None:
        """Rank an ended trial, and remove the file of the one that drops out."""
        if trial.best_value is None:
            self._keep(trial, set())
            return
        last = trial.epochs.path(trial.epoch - 1)
        keeps = self._keeps_last and last in self._present.get(trial.number, {})
        self._keep(trial, {last} if keeps else self._best(trial))
        bisect.insort(self._ranking, (self._objective.cost(trial.best_value), trial.number))
        if len(self._ranking) > self._keep_best:
            _, number = self._ranking.pop()
            self._keep(state.trials[number], set())

    def _keep(self, trial: Trial, needed: set[str]) -> None:
        present = self._present.get(trial.number, {})
        for path in present.keys() - needed:
            with suppress(FileNotFoundError):
                os.unlink(f"{self._root}/{path}")
            del present[path]
        if trial.ended and not present:
            with suppress(OSError):  # there is none, or a worker that is being killed writes still
                self._folder.checkpoints_of(trial.number).rmdir()
