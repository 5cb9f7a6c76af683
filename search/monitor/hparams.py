"""What TensorBoard's HParams plug-in shows of a study: its space with domains, and each trial."""

import time
from collections.abc import Mapping
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event as TbEvent
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams import summary_v2 as plugin

from search.journal.state import StudyState
from search.spec.space import Dimension, Range


def experiment(state: StudyState) -> TbEvent:
    """The space with its domains, and the metrics to look at."""
    parameters = [
        plugin.HParam(name, _domain(dimension), description=state.hyperparameters[name].description)
        for name, dimension in state.space.items()
    ]
    tags = dict.fromkeys((state.objective.metric, "val/loss", "train/loss"))
    metrics = [plugin.Metric(tag, display_name=tag) for tag in tags]
    summary = plugin.hparams_config_pb(parameters, metrics, time.time())
    # TensorBoard shows a column unasked only of what differs, which the library has no word for.
    carried = summary.value[0].metadata.plugin_data
    data = plugin_data_pb2.HParamsPluginData.FromString(carried.content)
    for info in data.experiment.hparam_infos:
        info.differs = True
    carried.content = data.SerializeToString()
    return _event(summary, time.time())


def _domain(dimension: Dimension) -> plugin.Domain:
    if not isinstance(dimension, Range):
        return plugin.Discrete(list(dimension.options))
    interval = plugin.IntInterval if dimension.kind == "int" else plugin.RealInterval
    return interval(*dimension.ends)


def trial_started(group: str, params: Mapping[str, Any], when: float) -> TbEvent:
    """A trial's configuration; ``when`` is in seconds since 1970."""
    made = plugin.hparams_pb(dict(params), trial_id=group, start_time_secs=when)
    return _event(made, when)


def trial_ended(failed: bool, when: float) -> TbEvent:
    """A trial's end, for which the plug-in has protocol buffers only."""
    status = api_pb2.STATUS_FAILURE if failed else api_pb2.STATUS_SUCCESS
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=when)
    content = metadata.create_summary_metadata(
        plugin_data_pb2.HParamsPluginData(session_end_info=info)
    )
    summary = Summary()
    summary.value.add(
        tag=metadata.SESSION_END_INFO_TAG, metadata=content, tensor=metadata.NULL_TENSOR
    )
    return _event(summary, when)


def _event(summary: Summary, when: float) -> TbEvent:
    return TbEvent(wall_time=when, summary=summary)
