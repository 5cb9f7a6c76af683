"""``--dry-run``: what a launch would do, its memory and its time. Only the cache is written."""

from collections.abc import Sequence
from typing import Any

from search.driver.capacity import check_device, memory_needed
from search.driver.changes import find_change
from search.driver.plan import SessionPlan
from search.driver.preparation import PreparedData, prepare_study
from search.journal.events import Event, TrialCreated
from search.journal.state import Trial, replay
from search.policy.samplers.optuna_adapter import Sampler
from search.spec.study import StudySpec, to_toml
from trainables.core.hyperparameters import Hyperparameters
from trainables.core.memory import parameter_count

_SAMPLES = 3
_GIB = 1 << 30


def describe(spec: StudySpec, plan: SessionPlan, past: Sequence[Event] = ()) -> str:
    """The resolved study, what the data is, the next few configurations, memory and time; of a
    study with a ``past``, what would change.

    Raises:
        DataError: the data cannot be learnt from.
        DeviceError: this machine does not compute in what is asked for.
        SpecError: the study could not be resumed so.
    """
    if plan.cluster.kind == "local":
        check_device(plan.resources)
    state = replay([*past]) if past else None
    prepared = prepare_study(spec, plan.cache_dir, state.trials if state else ())
    change = find_change(state, spec, prepared, plan) if state else None
    corpus = prepared.corpus
    past = [*past, *([change] if change else [])]
    begun, samples = _unfinished(past), _next_configurations(spec, past)
    left = plan.total - (len(state.trials) if state else 0) + len(begun)
    due = [(t.spec, t.params) for t in begun] + [(spec, params) for params in samples.values()]
    networks = [its.hyperparameters(params, prepared.vectors(its)) for its, params in due]
    need = memory_needed(spec, prepared)
    sizes = ", ".join(f"{count:,} {part}" for part, count in corpus.sizes.items())
    lines = [
        to_toml(spec).strip(),
        "",
        f"data: {sizes} texts, {len(corpus.classes)} classes, {corpus.vocabulary:,} words",
        *(f"note: {note}" for note in prepared.notes(spec)),
        *(f"changed: {text}" for text in (change.changes if change else ())),
        *(f"sample {i}: {params}" for i, params in samples.items()),
        f"memory: at most {need / _GIB:.2f} GiB a trial",
        _time(spec, left, prepared, networks),
        "nothing was started",
    ]
    return "\n".join(lines)


def _unfinished(past: Sequence[Event]) -> list[Trial]:
    """The trials that a resume goes on with."""
    if not past:
        return []
    state = replay([*past])
    return [t for t in state.trials if not t.ended and state.pending_end(t) is None]


def _next_configurations(spec: StudySpec, past: Sequence[Event]) -> dict[int, dict[str, Any]]:
    """Those of the next trials, by number, if each had to be chosen now; none where all have been
    made."""
    sampler, made = Sampler(spec), 0
    for event in past:
        sampler.apply(event)
        made += isinstance(event, TrialCreated)
    chosen = {}
    for number in range(made, min(made + _SAMPLES, spec.search.trials)):
        created = sampler.suggest(number)
        sampler.apply(created)
        chosen[number] = created.params
    return chosen


def _time(
    spec: StudySpec, left: int, prepared: PreparedData, networks: Sequence[Hyperparameters]
) -> str:
    """How long ``left`` trials take, if all are like these ``networks``."""
    if not left:
        return "time: none: all trials have ended"
    per_epoch = _epoch_seconds(spec, prepared, networks)
    return (
        f"time: about {per_epoch:.1f} s an epoch and core (measured on this machine); "
        f"{left} trials of at most {spec.stopping.max_epochs} epochs: at most "
        f"{per_epoch * left * spec.stopping.max_epochs / 3600:.2f} core-hours"
    )


def _epoch_seconds(
    spec: StudySpec, prepared: PreparedData, networks: Sequence[Hyperparameters]
) -> float:
    """Seconds of an epoch of these networks, on average, from a measured step.

    The step is a small model's; time grows with the multiplications of a token.
    """
    from trainables.attempts.probe import seconds_per_token
    from trainables.core.device import prepare_device

    rate = seconds_per_token(prepare_device("cpu", 1)) / _work(Hyperparameters())
    part = prepared.corpus.part("train")
    tokens = float(part.lengths.clip(1, spec.data.max_tokens).sum())
    return rate * tokens * sum(map(_work, networks)) / len(networks)


def _work(h: Hyperparameters) -> float:
    """Multiplications of one token, up to a constant: the recurrent weights' count."""
    return float(parameter_count(h, 1, 2))
