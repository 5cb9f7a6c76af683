"""What TensorBoard's HParams plug-in shows of a study: its space with domains, and each trial."""

import math
import time
from collections.abc import Sequence
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event as TbEvent
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams import summary_v2 as plugin

from search.journal.state import StudyState
from search.journal.trial import Trial
from search.spec.space import Dimension, Range

#: Columns beside the hyperparameters, with what they say.
_ABOUT = {
    "origin": "what chose the configuration",
    "fate": "running, completed, stopped at an epoch, or failed and why",
    "host": "where its last epoch was trained",
    "study": "the study's name",
}


def best_tag(metric: str) -> str:
    """Return the tag of a trial's best value so far, by the study's metric."""
    return f"best/{metric}"


def experiment(states: Sequence[StudyState]) -> TbEvent:
    """The space with its domains, and the metrics to look at, the best value first.

    Of several studies it is the union, and a dimension that they have in common takes the first
    one's domain.
    """
    parameters: dict[str, plugin.HParam] = {}
    for state in states:
        for name, dimension in state.space.items():
            about = state.hyperparameters[name].description
            column = plugin.HParam(_column(name), _domain(dimension), description=about)
            parameters.setdefault(_column(name), column)
    for state in states:
        for name, dimension in state.space.items():
            if isinstance(dimension, Range) and dimension.log:
                log = plugin.HParam(_log_name(name), _log_interval(dimension))
                parameters.setdefault(_log_name(name), log)
    for name, said in _ABOUT.items():
        parameters[name] = plugin.HParam(name, description=said)
    metrics = [state.objective.metric for state in states]
    tags = (*map(best_tag, metrics), "trial/epochs", *metrics, "val/loss", "train/loss")
    shown = [plugin.Metric(tag, display_name=tag) for tag in dict.fromkeys(tags)]
    summary = plugin.hparams_config_pb(list(parameters.values()), shown, time.time())
    # TensorBoard shows a column unasked only of what differs, which the library has no word for.
    carried = summary.value[0].metadata.plugin_data
    data = plugin_data_pb2.HParamsPluginData.FromString(carried.content)
    for info in data.experiment.hparam_infos:
        info.differs = True
        if info.name in _ABOUT:
            info.type = api_pb2.DATA_TYPE_STRING
    carried.content = data.SerializeToString()
    return _event(summary, time.time())


def _domain(dimension: Dimension) -> plugin.Domain:
    if not isinstance(dimension, Range):
        return plugin.Discrete(list(dimension.options))
    interval = plugin.IntInterval if dimension.kind == "int" else plugin.RealInterval
    return interval(*dimension.ends)


def _log_interval(dimension: Range) -> plugin.Domain:
    return plugin.RealInterval(math.log10(dimension.low), math.log10(dimension.high))


def _column(name: str) -> str:
    """Return the name of a hyperparameter's column, of which the others are not called so."""
    return f"params.{name}" if name in _ABOUT else name


def _log_name(name: str) -> str:
    return f"log10 {name}"


def trial_columns(trial: Trial, state: StudyState, ended: bool) -> dict[str, Any]:
    """A trial's row as it begins, or as it has ended."""
    columns = {_column(name): value for name, value in trial.params.items()}
    for name, dimension in state.space.items():
        if not isinstance(dimension, Range) or not dimension.log:
            continue
        value = trial.params.get(name)
        # A trial from before a forced change may have 0 or a name there, or none at all.
        if isinstance(value, (int, float)) and value > 0:
            columns[_log_name(name)] = math.log10(value)
    columns["origin"], columns["study"] = trial.origin, state.created.name
    columns["fate"] = _fate(trial) if ended else "running"
    columns["host"] = trial.epochs[-1].host if ended and trial.epochs else "-"
    return columns


def _fate(trial: Trial) -> str:
    if trial.state == "pruned":
        return f"stopped at {trial.epoch}"
    if trial.state == "failed":
        last = trial.failures[-1] if trial.failures else None
        return f"failed: {last.kind if last and last.cause == trial.reason else trial.reason}"
    return trial.state


def trial_started(columns: dict[str, Any], when: float) -> TbEvent:
    """A trial's row; ``when`` is in seconds since 1970.

    Without an id of its own TensorBoard names the row as the run, which tells studies apart.
    """
    made = plugin.hparams_pb(columns, trial_id="", start_time_secs=when)
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
