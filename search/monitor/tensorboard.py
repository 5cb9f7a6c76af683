"""TensorBoard event files, a run for each trial and one for the study; written without torch.

The files are a view of the journal, and a mark says how far they have followed it. A session goes
on behind the mark: what a crash has left behind it is written again, and of equal steps TensorBoard
shows the later. A study that is changed, or whose mark is gone, is written anew.
"""

import json
import shutil
import time
from collections import Counter
from contextlib import suppress
from typing import Any

from search.journal.events import (
    AttemptFailed,
    AttemptStarted,
    EpochDone,
    Event,
    SessionStarted,
    TrialCreated,
    TrialEnded,
)
from search.journal.folder import StudyDir
from search.journal.journal import Prefix, read_journal
from search.journal.state import StudyState
from search.monitor import hparams
from search.monitor.event_files import EventFiles, scalars
from trainables.storage import replace_file

#: The mark is moved so often at most.
_MARK_SECONDS = 10.0


class TensorBoardWriter:
    """Follows a study into its ``tensorboard`` folder."""

    def __init__(
        self, folder: StudyDir, state: StudyState, journal: Prefix, examples: int = 0
    ) -> None:
        """Write what the journal has and the files have not.

        Args:
            journal: as it is read and written; it grows.
            examples: how many an epoch trains on, for their rate; 0 where that is not known.
        """
        self._folder, self._journal, self._state = folder, journal, state
        self._examples = examples
        self._files = EventFiles()
        self._marked = time.monotonic()
        self._best: dict[int, float] = {}
        mark = self._read_mark()
        if mark is None:
            mark = {"lines": 0, "size": 0, "study": {}}
            if folder.tensorboard.exists():
                shutil.rmtree(folder.tensorboard)
            self._files.write(folder.study_events, hparams.experiment(state))
        self._study = _StudyCurve(state, mark["study"])
        for line in read_journal(folder.journal, Prefix(mark["lines"], mark["size"])):
            self._follow(line.event, line.time)

    def _read_mark(self) -> dict[str, Any] | None:
        """Return how much is in the files; None if they have to be written anew."""
        try:
            mark: dict[str, Any] = json.loads(self._folder.board_mark.read_bytes())
            known = mark["revision"] == self._state.revision and mark["size"] <= self._journal.size
            return mark if known else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def __call__(self, event: Event, state: StudyState) -> None:
        """Write what one event adds."""
        self._follow(event, time.time())
        if time.monotonic() - self._marked >= _MARK_SECONDS:
            self._move_mark()

    def _follow(self, event: Event, when: float) -> None:
        self._study.follow(event)
        match event:
            case TrialCreated():
                trial = self._state.trials[event.trial]
                columns = hparams.trial_columns(trial, self._state, ended=False)
                started = hparams.trial_started(event.trial, columns, when)
                self._files.write(self._folder.trial_events(event.trial), started)
            case EpochDone():
                self._write_epoch(event, when)
            case TrialEnded():
                self._write_end(event, when)
            case _:
                pass

    def _write_epoch(self, event: EpochDone, when: float) -> None:
        """Write the metrics of an epoch, and the best value up to it.

        The state may be further on, for it takes all epochs of a message in before any is told.
        """
        values = {**event.metrics, "time/epoch_seconds": event.seconds}
        values["trial/epochs"] = float(event.epoch)
        if self._examples and event.seconds > 0:
            values["time/examples_per_second"] = self._examples / event.seconds
        best = self._best_up_to(event)
        if best is not None:
            self._best[event.trial] = best
        values[hparams.best_tag(self._state.objective.metric)] = best
        point = scalars(values, event.epoch, when)
        self._files.write(self._folder.trial_events(event.trial), point)

    def _best_up_to(self, event: EpochDone) -> float | None:
        before = self._best.get(event.trial)
        if before is None:  # a new trial, or one of an earlier session
            epochs = self._state.trials[event.trial].epochs
            earlier = [epochs.value(index) for index in range(event.epoch - 1)]
            before = min(
                (value for value in earlier if value is not None),
                key=self._state.objective.cost,
                default=None,
            )
        if event.value is None or before is None:
            return before if event.value is None else event.value
        return min(before, event.value, key=self._state.objective.cost)

    def _write_end(self, event: TrialEnded, when: float) -> None:
        trial, run = self._state.trials[event.trial], self._folder.trial_events(event.trial)
        self._files.write(run, hparams.trial_ended(event.state == "failed", when))
        self._files.close(run)
        columns = hparams.trial_columns(trial, self._state, ended=True)
        self._files.write_first(run, hparams.trial_started(event.trial, columns, when))
        self._best.pop(event.trial, None)
        step = self._study.ended
        self._files.write(self._folder.study_events, scalars(self._study.values(), step, when))

    def _move_mark(self) -> None:
        """Say how far the files have followed the journal."""
        self._marked = time.monotonic()
        mark = {"lines": self._journal.lines, "size": self._journal.size}
        said = mark | {"revision": self._state.revision, "study": self._study.dump()}
        with suppress(OSError):
            replace_file(self._folder.board_mark, json.dumps(said).encode(), mode=0o600)

    def close(self) -> None:
        """Close all files."""
        self._files.close_all()
        self._move_mark()


class _StudyCurve:
    """Where the study stood after each event: the state says only where it stands now."""

    def __init__(self, state: StudyState, dumped: dict[str, Any]) -> None:
        self._objective = state.objective
        self._ends: Counter[str] = Counter(dumped.get("ends", {}))
        self._best: float | None = dumped.get("best")
        self._running: set[int] = set(dumped.get("running", ()))

    @property
    def ended(self) -> int:
        return self._ends.total()

    def follow(self, event: Event) -> None:
        match event:
            case SessionStarted():
                self._running.clear()
            case AttemptStarted():
                self._running.add(event.trial)
            case AttemptFailed():
                self._running.discard(event.trial)
            case EpochDone(value=float(value)):
                cost = self._objective.cost
                self._best = value if self._best is None else min(self._best, value, key=cost)
            case TrialEnded():
                self._running.discard(event.trial)
                self._ends[event.state] += 1
            case _:
                pass

    def values(self) -> dict[str, float | None]:
        """Return the study's scalars."""
        counts = {
            f"study/{end}": float(self._ends[end]) for end in ("completed", "pruned", "failed")
        }
        return {
            hparams.best_tag(self._objective.metric): self._best,
            **counts,
            "study/slots_busy": float(len(self._running)),
        }

    def dump(self) -> dict[str, Any]:
        return {"ends": dict(self._ends), "best": self._best, "running": sorted(self._running)}
