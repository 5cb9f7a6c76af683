"""What TensorBoard's HParams plug-in shows of a study: its space with domains, and each trial.

``tensorboard.plugins.hparams.summary`` would import TensorFlow; the protocol buffers behind it do
not.
"""

import time
from collections.abc import Mapping
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event as TbEvent
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

from search.journal.state import StudyState
from search.spec.space import Range

_PLUGIN = "hparams"
_EXPERIMENT, _SESSION_START, _SESSION_END = (
    f"_hparams_/{part}" for part in ("experiment", "session_start_info", "session_end_info")
)
_KINDS = {"bool": api_pb2.DATA_TYPE_BOOL, "choice": api_pb2.DATA_TYPE_STRING}


def experiment(name: str, state: StudyState) -> TbEvent:
    """The space with its domains, and the metrics to look at."""
    described = api_pb2.Experiment(name=name)
    for parameter, dimension in state.space.items():
        info = described.hparam_infos.add(name=parameter, differs=True)
        if isinstance(dimension, Range):
            info.type = api_pb2.DATA_TYPE_FLOAT64
            info.domain_interval.min_value = dimension.low
            info.domain_interval.max_value = dimension.high
        else:
            kind = state.hyperparameters[parameter].kind
            info.type = _KINDS.get(kind, api_pb2.DATA_TYPE_FLOAT64)
            info.domain_discrete.extend(list(dimension.options))
    for tag in dict.fromkeys((state.objective.metric, "val/loss", "train/loss")):
        described.metric_infos.add(name=api_pb2.MetricName(tag=tag), display_name=tag)
    return _summary(_EXPERIMENT, experiment=described)


def trial_started(group: str, params: Mapping[str, Any]) -> TbEvent:
    """A trial's configuration."""
    info = plugin_data_pb2.SessionStartInfo(group_name=group, start_time_secs=time.time())
    for name, value in params.items():
        if isinstance(value, bool):
            info.hparams[name].bool_value = value
        elif isinstance(value, (int, float)):
            info.hparams[name].number_value = value
        else:
            info.hparams[name].string_value = str(value)
    return _summary(_SESSION_START, session_start_info=info)


def trial_ended(failed: bool) -> TbEvent:
    """A trial's end."""
    status = api_pb2.STATUS_FAILURE if failed else api_pb2.STATUS_SUCCESS
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    return _summary(_SESSION_END, session_end_info=info)


def _summary(tag: str, **content: Any) -> TbEvent:
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
