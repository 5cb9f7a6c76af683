"""``--dry-run``: what a session would do, its memory and its time. Only the cache is written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster.connect import connect
from search.driver.capacity import concurrent_trials, memory_needed
from search.driver.changes import record_change
from search.driver.checks import check_session, first_notes, start_request
from search.driver.plan import SessionPlan
from search.driver.preparation import PreparedData, prepare_study
from search.driver.session import creation
from search.journal.events import WarmStarted
from search.journal.state import StudyState, replay
from search.policy.samplers.registry import TrialChooser
from search.spec.study import StudySpec, to_toml
from trainables.core.hyperparameters import Hyperparameters
from trainables.core.memory import DataShape
from trainables.tasks.registry import find_task

_SAMPLES = 3
_GIB = 1 << 30


def describe(
    spec: StudySpec,
    plan: SessionPlan,
    begun: StudyState | None = None,
    former: Sequence[WarmStarted] = (),
) -> str:
    """Return the resolved study, its data, the next configurations, memory and time.

    Of a study that has ``begun`` it also says what would change; the state moves on with it. A new
    one begins with what it takes from ``former`` ones.

    Raises:
        DataError: the data cannot be learnt from.
        DeviceError: this machine does not compute in what is asked for.
        SpecError: the study could not be resumed so.
    """
    prepared = prepare_study(spec, plan.cache, begun.trials if begun else ())
    check_session(spec, plan, prepared)
    change = record_change(begun, plan.change, prepared, plan.total, plan.force) if begun else None
    state = begun or replay([creation(spec, prepared), *former])
    if change is not None:
        state.apply(change)
    unfinished = [t for t in state.trials if not t.ended and state.pending_end(t) is None]
    left = plan.total - len(state.trials) + len(unfinished)
    samples = _next_configurations(state, plan.total)
    due = [(t.spec, t.params) for t in unfinished] + [(spec, params) for params in samples.values()]
    inputs = prepared.of(spec)
    lines = [
        to_toml(spec).strip(),
        "",
        f"data: {inputs.summary}",
        *inputs.preview(),
        *(f"note: {note}" for note in (*inputs.notes, *first_notes(spec, plan.total))),
        *(f"former: {len(one.trials)} trials of study {one.study}" for one in former),
        *(f"changed: {text}" for text in (change.changes if change else ())),
        *(f"sample {i}: {params}" for i, params in samples.items()),
        f"memory: at most {memory_needed(spec, prepared) / _GIB:.2f} GiB a trial",
        _time(spec, left, prepared, due),
        *(f"would run: {command}" for command in plan.cluster.commands()),
        *_cluster_nodes(spec, plan, prepared),
        "nothing was started",
    ]
    return "\n".join(lines)


def _cluster_nodes(spec: StudySpec, plan: SessionPlan, prepared: PreparedData) -> list[str]:
    """Connect to a cluster that runs anyway; say what it has, and how many trials fit."""
    if not plan.cluster.runs_already:
        return []
    with connect(plan.cluster, start_request(spec, plan, Path())) as nodes:
        fits = concurrent_trials(plan.resources, nodes, memory_needed(spec, prepared))
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    return [
        f"cluster: {len(nodes)} nodes, {cpus} CPUs, {gpus} GPUs: {fits} trials at a time",
    ]


def _next_configurations(state: StudyState, total: int) -> dict[int, dict[str, Any]]:
    """Return the next trials' configurations, by number, if each had to be chosen now."""
    chooser, chosen = TrialChooser(), dict[int, dict[str, Any]]()
    for number in range(len(state.trials), min(len(state.trials) + _SAMPLES, total)):
        created = chooser.choose(state)
        state.apply(created)
        chosen[number] = created.params
    return chosen


def _time(
    spec: StudySpec,
    left: int,
    prepared: PreparedData,
    due: Sequence[tuple[StudySpec, dict[str, Any]]],
) -> str:
    """Say how long ``left`` trials take, if all are like those that are ``due``."""
    if not left:
        return "time: none: all trials have ended"
    device = "cuda" if spec.resources.gpus_per_trial > 0 else "cpu"
    if device == "cuda" and not _has_gpu():
        return "time: unknown: trials compute on GPUs, and none is here to measure on"
    unit = "GPU" if device == "cuda" else "core"
    kind = find_task(spec.task).declaration.hyperparameters
    networks = [
        kind.model_validate(prepared.of(one).complete({**one.fixed, **params}))
        for one, params in due
    ]
    per_epoch = _epoch_seconds(device, prepared.of(spec).training_steps(), networks)
    return (
        f"time: about {per_epoch:.1f} s an epoch and {unit} (measured on this machine); "
        f"{left} trials of at most {spec.stopping.max_epochs} epochs: at most "
        f"{per_epoch * left * spec.stopping.max_epochs / 3600:.2f} {unit}-hours"
    )


def _has_gpu() -> bool:
    from trainables.core.device import has_gpu

    return has_gpu()


def _epoch_seconds(device: str, steps: int, networks: Sequence[Hyperparameters]) -> float:
    """Estimate the seconds of an epoch of these networks, on average, from a measured step.

    The step is a small recurrent network's; time grows with the multiplications of a step.
    """
    from trainables.attempts.probe import SMALL, seconds_per_token
    from trainables.core.device import prepare_device

    rate = seconds_per_token(prepare_device(device, 1)) / _work(SMALL)
    return rate * steps * sum(map(_work, networks)) / len(networks)


def _work(hyperparameters: Hyperparameters) -> float:
    """Return the multiplications of one step, up to a constant: the parameters but for words."""
    return float(hyperparameters.parameter_count(DataShape(1, 2, 1)))
