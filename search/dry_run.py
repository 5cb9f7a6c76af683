"""``--dry-run``: what a launch would do, its memory and its time. Only the cache is written."""

from typing import Any

from search.capacity import check_device, memory_needed
from search.changes import find_change
from search.launching import Launch
from search.preparation import Prepared, prepare_study
from search.sampler import Sampler
from search.spec import StudySpec, to_toml
from search.state import StudyState
from trainables.hyperparameters import Hyperparameters
from trainables.memory import parameter_count

_SAMPLES = 3
_GIB = 1 << 30


def describe(spec: StudySpec, launch: Launch, state: StudyState | None = None) -> str:
    """The resolved study, what the data is, a few configurations, memory and time; of a study that
    exists (``state``), what would change.

    Raises:
        DataError: the data cannot be learnt from.
        DeviceError: this machine does not compute in what is asked for.
        SpecError: the study could not be resumed so.
    """
    if launch.cluster.kind == "local":
        check_device(launch.resources)
    prepared = prepare_study(spec, launch.cache_dir, state.trials if state else ())
    change = find_change(state, spec, prepared, launch) if state else None
    corpus = prepared.corpus
    sampler = Sampler(spec)
    samples = []
    for number in range(min(_SAMPLES, spec.search.trials)):
        created = sampler.suggest(number)
        sampler.apply(created)
        samples.append(created.params)
    need = memory_needed(spec, prepared)
    per_epoch = _epoch_seconds(spec, prepared, samples)
    sizes = ", ".join(f"{count:,} {part}" for part, count in corpus.sizes.items())
    lines = [
        to_toml(spec).strip(),
        "",
        f"data: {sizes} texts, {len(corpus.classes)} classes, {corpus.vocabulary:,} words",
        *(f"note: {note}" for note in prepared.notes(spec)),
        *(f"changed: {text}" for text in (change.changes if change else ())),
        *(f"sample {i}: {params}" for i, params in enumerate(samples)),
        f"memory: at most {need / _GIB:.2f} GiB a trial",
        f"time: about {per_epoch:.1f} s an epoch and core (measured on this machine); "
        f"{spec.search.trials} trials of at most {spec.stopping.max_epochs} epochs: at most "
        f"{per_epoch * spec.search.trials * spec.stopping.max_epochs / 3600:.2f} core-hours",
        "nothing was started",
    ]
    return "\n".join(lines)


def _epoch_seconds(spec: StudySpec, prepared: Prepared, samples: list[dict[str, Any]]) -> float:
    """Seconds of an epoch of the sampled configurations, on average, from a measured step.

    The step is a small model's; time grows with the multiplications of a token.
    """
    from trainables.core.device import prepare_device
    from trainables.core.probe import seconds_per_token

    rate = seconds_per_token(prepare_device("cpu", 1)) / _work(Hyperparameters())
    part = prepared.corpus.part("train")
    tokens = float(part.lengths.clip(1, spec.data.max_tokens).sum())
    works = [_work(spec.hyperparameters(params, prepared.vectors(spec))) for params in samples]
    return rate * tokens * sum(works) / len(works)


def _work(h: Hyperparameters) -> float:
    """Multiplications of one token, up to a constant: the recurrent weights' count."""
    return float(parameter_count(h, 1, 2))
