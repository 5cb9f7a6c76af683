"""TensorBoard event files, one run a trial, with typed hyperparameters; written without torch.

The files are a view of the journal, and a mark says how far they have followed it. A session goes
on behind the mark: what a crash has left behind it is written again, and of equal steps TensorBoard
shows the later. A study that is changed, or whose mark is gone, is written anew.
"""

import json
import os
import shutil
import socket
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event as TbEvent
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from search.journal.events import EpochDone, Event, TrialCreated, TrialEnded
from search.journal.folder import StudyDir
from search.journal.journal import Prefix, read_journal
from search.journal.state import StudyState
from search.monitor import hparams
from trainables.storage import replace_file

#: Files that are open at once: a search may run a thousand trials.
_OPEN = 64

#: The mark is moved so often at most.
_MARK_SECONDS = 10.0


class _EventFile:
    """One event file; every record is in it when ``write`` returns."""

    def __init__(self, path: Path) -> None:
        """Open for appending; a new file begins with the version of its format."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        self._writer = RecordWriter(self._file)
        if self._file.tell() == 0:
            self.write(TbEvent(wall_time=time.time(), file_version="brain.Event:2"))

    def write(self, event: TbEvent) -> None:
        self._writer.write(event.SerializeToString())
        self._writer.flush()

    def close(self) -> None:
        self._file.close()


class TensorBoardWriter:
    """Follows a study into its ``tensorboard`` folder."""

    def __init__(self, folder: StudyDir, state: StudyState, journal: Prefix) -> None:
        """Write what the journal has and the files have not; ``journal`` grows with it."""
        self._folder, self._journal, self._state = folder, journal, state
        self._open: OrderedDict[Path, _EventFile] = OrderedDict()
        # A file a session: the one before may have left a torn record at the end of its own.
        self._file = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self._marked = time.monotonic()
        read = self._mark()
        if read is None:
            read = Prefix()
            if folder.tensorboard.exists():
                shutil.rmtree(folder.tensorboard)
            self._write(folder.tensorboard, hparams.experiment(state))
        for line in read_journal(folder.journal, read):
            self._follow(line.event, line.time)

    def _mark(self) -> Prefix | None:
        """Return how much of the journal is in the files; None if they have to be written anew."""
        try:
            mark = json.loads(self._folder.board_mark.read_bytes())
            read = Prefix(int(mark["lines"]), int(mark["size"]))
            return read if mark["revision"] == self._state.revision else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def __call__(self, event: Event, state: StudyState) -> None:
        """Write what one event adds."""
        self._follow(event, time.time())
        if time.monotonic() - self._marked >= _MARK_SECONDS:
            self._move_mark()

    def _follow(self, event: Event, when: float) -> None:
        match event:
            case TrialCreated():
                group = f"trial-{event.trial:04d}"
                self._of(event.trial, hparams.trial_started(group, event.params, when))
            case EpochDone():
                self._of(event.trial, _epoch(event, when))
            case TrialEnded():
                self._of(event.trial, hparams.trial_ended(event.state == "failed", when))
                self._close(self._folder.trial_events(event.trial))
            case _:
                pass

    def _of(self, trial: int, event: TbEvent) -> None:
        self._write(self._folder.trial_events(trial), event)

    def _write(self, run: Path, event: TbEvent) -> None:
        """Write into a run, whose file is opened if it is not; the one used longest ago closes."""
        file = self._open.get(run)
        if file is None:
            if len(self._open) >= _OPEN:
                self._close(next(iter(self._open)))
            file = self._open[run] = _EventFile(run / self._file)
        self._open.move_to_end(run)
        file.write(event)

    def _close(self, run: Path) -> None:
        file = self._open.pop(run, None)
        if file is not None:
            with suppress(OSError):  # a full disk, of which the journal has told already
                file.close()

    def _move_mark(self) -> None:
        """Say how far the files have followed the journal."""
        self._marked = time.monotonic()
        mark = {"lines": self._journal.lines, "size": self._journal.size}
        mark["revision"] = self._state.revision
        with suppress(OSError):
            replace_file(self._folder.board_mark, json.dumps(mark).encode(), mode=0o600)

    def close(self) -> None:
        """Close the files of trials that are still running."""
        for run in list(self._open):
            self._close(run)
        self._move_mark()


def _epoch(event: EpochDone, when: float) -> TbEvent:
    summary = Summary()
    for name, value in event.metrics.items():
        if value is not None:
            summary.value.add(tag=name, simple_value=value)
    summary.value.add(tag="time/epoch_seconds", simple_value=event.seconds)
    return TbEvent(wall_time=when, step=event.epoch, summary=summary)
