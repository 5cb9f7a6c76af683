"""What a study's end is about: its best configurations, and the one that they are to beat."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from search.errors import NoFiniteResult
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.seeds import derive_seed
from search.spec.resolve import resolve
from search.spec.study import StudySpec
from trainables.embeddings.sources import SCRATCH
from trainables.embeddings.spec import settings_of
from trainables.tasks.registry import find_task


class Candidate(BaseModel):
    """A configuration.

    Attributes:
        trial: the study's first trial that came to a value with it; of a baseline that never did,
            the first; None for a baseline of the study file's own.
        params: its hyperparameters, but for those that are as by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trial: int | None
    params: dict[str, Any]


def best_candidates(state: StudyState, count: int) -> list[Candidate]:
    """Return a study's best configurations: the leader by its estimated mean, where that is known,
    then the others by their best trial.

    Raises:
        NoFiniteResult: no trial has a finite result.
    """
    costs, shown = dict[int, float](), dict[int, Trial]()
    for trial in state.comparable_trials():
        if trial.best_value is not None:
            first, cost = trial.first, state.objective.cost(trial.best_value)
            costs[first] = min(costs.get(first, cost), cost)
            shown.setdefault(first, trial)
    if not costs:
        raise NoFiniteResult(f"no trial of {state.created.name!r} has a finite result")
    leader = state.trials[state.outlook.leader].first if state.outlook else None
    order = sorted(costs, key=lambda number: (number != leader, costs[number], number))
    return [_candidate(shown[number]) for number in order[:count]]


def baseline_of(state: StudyState) -> Candidate:
    """Return what the study is to beat: its ``[baseline]``, or its first configuration."""
    if state.spec.baseline:
        return Candidate(trial=None, params=dict(state.spec.baseline))
    first = [t for t in state.trials if t.first == 0 and t.best_value is not None]
    return _candidate(first[0] if first else state.trials[0])


def _candidate(trial: Trial) -> Candidate:
    return Candidate(trial=trial.number, params={**trial.spec.fixed, **trial.params})


def terms_of(spec: StudySpec) -> dict[str, Any]:
    """Return by what configurations are trained and judged, beside the data itself.

    All else that a ``[data]`` table says is in the digest of the data; where that lies is not.
    """
    data = spec.inputs["data"]
    return {
        "metric": spec.metric,
        "mode": spec.mode,
        "max_epochs": spec.stopping.max_epochs,
        "data.max_tokens": data["max_tokens"],
        "data.keep": data["keep"],
        "embeddings": spec.inputs.get("embeddings", {}),
    }


def contest(
    spec: StudySpec, name: str, contestants: Sequence[Mapping[str, Any]], seeds: int
) -> StudySpec:
    """Return a study of that name that trains every configuration with every seed, to the end.

    Trial ``n`` is of configuration ``n % len(contestants)``.
    """
    kind = find_task(spec.task).declaration.hyperparameters
    names = list(dict.fromkeys(name for params in contestants for name in params))
    default = {name: kind.model_fields[name].default for name in names}
    configurations = [default | dict(params) for params in contestants]
    options = {name: _values(name, configurations) for name in names}
    for idle in kind.without_effect(options):
        options.pop(idle, None)
    searched = {name: values for name, values in options.items() if len(values) > 1}
    first = [{name: one[name] for name in searched} for one in configurations]
    return _study(
        spec,
        name,
        fixed={name: values[0] for name, values in options.items() if len(values) == 1},
        space={name: list(values) for name, values in searched.items()},
        first=first * seeds,
    )


def _values(name: str, configurations: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(one[name] for one in configurations))


def retraining(
    spec: StudySpec, role: str, candidate: Candidate, epochs: int, seeds: int
) -> StudySpec:
    """Return a study that trains one candidate with every seed for so many epochs, and keeps what
    it has in the end."""
    kind = find_task(spec.task).declaration.hyperparameters
    idle = kind.without_effect({name: (value,) for name, value in candidate.params.items()})
    # Patience looks at validation texts, which are trained on here.
    fixed = {k: v for k, v in candidate.params.items() if k not in idle and k != "patience"}
    study = _study(spec, role, fixed=fixed, space={}, first=[{}] * seeds, epochs=epochs)
    kept = {"keep": "last", "keep_best": seeds}
    return study.model_copy(update={"resources": study.resources.model_copy(update=kept)})


def _study(
    spec: StudySpec,
    name: str,
    fixed: dict[str, Any],
    space: dict[str, Any],
    first: Sequence[dict[str, Any]],
    epochs: int | None = None,
) -> StudySpec:
    """Return a study whose trials are ``first``, each trained to the end."""
    whole = epochs or spec.stopping.max_epochs
    tables = spec.tables()
    kinds = space.get("embedding") or [fixed.get("embedding", SCRATCH)]
    tables |= {
        "name": name,
        "fixed": fixed,
        "space": space,
        "first": list(first),
        "baseline": {},
        # What is said to a source that nobody here starts from would be refused.
        "embeddings": settings_of(tables.get("embeddings", {}), kinds),
        "search": {
            "trials": len(first),
            "sampler": "random",
            "seed": derive_seed(spec.search.seed, "final", name),
        },
        "stopping": {"max_epochs": whole, "grace_epochs": whole},
    }
    return resolve(tables, "finalize")
