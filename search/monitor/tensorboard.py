"""TensorBoard event files, one run a trial, with typed hyperparameters; written without torch.

The files are a view of the journal: a session writes them anew from its events, so nothing is
missing or doubled in them after a crash. ``tensorboard.plugins.hparams.summary`` would import
TensorFlow; the protocol buffers behind it do not.
"""

import shutil
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event as TbEvent
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

from search.journal.events import EpochDone, Event, TrialCreated, TrialEnded
from search.journal.folder import StudyDir
from search.journal.state import StudyState
from search.spec.space import Choice, Range, kind_of

_PLUGIN = "hparams"
_EXPERIMENT, _SESSION_START, _SESSION_END = (
    f"_hparams_/{part}" for part in ("experiment", "session_start_info", "session_end_info")
)


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
        """Empties the folder and describes the space; the caller replays past events into it."""
        self._folder = folder
        self._spec = state.spec
        self._open: dict[int, _EventFile] = {}
        if folder.tensorboard.exists():
            shutil.rmtree(folder.tensorboard)
        root = _EventFile(folder.tensorboard)
        root.write(_hparams(_EXPERIMENT, experiment=self._experiment()))
        root.close()

    def __call__(self, event: Event, state: StudyState) -> None:
        """Writes what one event adds."""
        match event:
            case TrialCreated():
                self._begin(event)
            case EpochDone():
                self._epoch(event)
            case TrialEnded():
                self._end(event)
            case _:
                pass

    def _begin(self, event: TrialCreated) -> None:
        file = _EventFile(self._folder.trial_events(event.trial))
        info = plugin_data_pb2.SessionStartInfo(
            group_name=f"trial-{event.trial:04d}", start_time_secs=time.time()
        )
        for name, value in event.params.items():
            if isinstance(value, bool):
                info.hparams[name].bool_value = value
            elif isinstance(value, (int, float)):
                info.hparams[name].number_value = value
            else:
                info.hparams[name].string_value = str(value)
        file.write(_hparams(_SESSION_START, session_start_info=info))
        self._open[event.trial] = file

    def _epoch(self, event: EpochDone) -> None:
        summary = Summary()
        for name, value in event.metrics.items():
            if value is not None:
                summary.value.add(tag=name, simple_value=value)
        summary.value.add(tag="time/epoch_seconds", simple_value=event.seconds)
        self._open[event.trial].write(
            TbEvent(wall_time=time.time(), step=event.epoch, summary=summary)
        )

    def _end(self, event: TrialEnded) -> None:
        status = api_pb2.STATUS_FAILURE if event.state == "failed" else api_pb2.STATUS_SUCCESS
        info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
        file = self._open.pop(event.trial)
        file.write(_hparams(_SESSION_END, session_end_info=info))
        file.close()

    def _experiment(self) -> api_pb2.Experiment:
        """The space with its domains, and the metric the study looks at."""
        experiment = api_pb2.Experiment(name=self._folder.name)
        for name, dimension in self._spec.dimensions().items():
            hparam = experiment.hparam_infos.add(name=name, differs=True)
            if isinstance(dimension, Range):
                hparam.type = api_pb2.DATA_TYPE_FLOAT64
                hparam.domain_interval.min_value = dimension.low
                hparam.domain_interval.max_value = dimension.high
            else:
                _discrete(hparam, name, dimension)
        for tag in (self._spec.metric, "val/loss", "train/loss"):
            if tag not in {info.name.tag for info in experiment.metric_infos}:
                experiment.metric_infos.add(name=api_pb2.MetricName(tag=tag), display_name=tag)
        return experiment

    def close(self) -> None:
        """Closes the files of trials that are still running."""
        for file in self._open.values():
            with suppress(OSError):  # a full disk, of which the journal has told already
                file.close()
        self._open.clear()


def _discrete(hparam: Any, name: str, dimension: Choice) -> None:
    kinds = {"bool": api_pb2.DATA_TYPE_BOOL, "choice": api_pb2.DATA_TYPE_STRING}
    hparam.type = kinds.get(kind_of(name), api_pb2.DATA_TYPE_FLOAT64)
    hparam.domain_discrete.extend(list(dimension.options))


def _hparams(tag: str, **content: Any) -> TbEvent:
    """A summary that carries only the plug-in's own data."""
    data = plugin_data_pb2.HParamsPluginData(version=0, **content)
    metadata = SummaryMetadata(
        plugin_data=SummaryMetadata.PluginData(
            plugin_name=_PLUGIN, content=data.SerializeToString()
        )
    )
    summary = Summary()
    summary.value.add(tag=tag, metadata=metadata)
    return TbEvent(wall_time=time.time(), summary=summary)
