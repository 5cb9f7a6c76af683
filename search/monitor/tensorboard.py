"""TensorBoard event files, one run a trial, with typed hyperparameters; written without torch.

The files are a view of the journal: a session writes them anew from its events, so nothing is
missing or doubled in them after a crash.
"""

import shutil
import socket
import time
from contextlib import suppress
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event as TbEvent
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from search.journal.events import EpochDone, Event, TrialCreated, TrialEnded
from search.journal.folder import StudyDir
from search.journal.state import StudyState
from search.monitor import hparams


class _EventFile:
    """One event file; every record is in it when ``write`` returns."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}"
        self._file = (folder / name).open("wb")
        self._writer = RecordWriter(self._file)
        self.write(TbEvent(wall_time=time.time(), file_version="brain.Event:2"))

    def write(self, event: TbEvent) -> None:
        self._writer.write(event.SerializeToString())
        self._writer.flush()

    def close(self) -> None:
        self._file.close()


class TensorBoardWriter:
    """Follows a study into its ``tensorboard`` folder."""

    def __init__(self, folder: StudyDir, state: StudyState) -> None:
        """Empty the folder and describe the space; the caller replays past events into it."""
        self._folder = folder
        self._open: dict[int, _EventFile] = {}
        if folder.tensorboard.exists():
            shutil.rmtree(folder.tensorboard)
        root = _EventFile(folder.tensorboard)
        root.write(hparams.experiment(state))
        root.close()

    def __call__(self, event: Event, state: StudyState) -> None:
        """Write what one event adds."""
        match event:
            case TrialCreated():
                file = self._open[event.trial] = _EventFile(self._folder.trial_events(event.trial))
                file.write(hparams.trial_started(f"trial-{event.trial:04d}", event.params))
            case EpochDone():
                self._write_epoch(event)
            case TrialEnded():
                file = self._open.pop(event.trial)
                file.write(hparams.trial_ended(failed=event.state == "failed"))
                file.close()
            case _:
                pass

    def _write_epoch(self, event: EpochDone) -> None:
        summary = Summary()
        for name, value in event.metrics.items():
            if value is not None:
                summary.value.add(tag=name, simple_value=value)
        summary.value.add(tag="time/epoch_seconds", simple_value=event.seconds)
        self._open[event.trial].write(
            TbEvent(wall_time=time.time(), step=event.epoch, summary=summary)
        )

    def close(self) -> None:
        """Close the files of trials that are still running."""
        for file in self._open.values():
            with suppress(OSError):  # a full disk, of which the journal has told already
                file.close()
        self._open.clear()
