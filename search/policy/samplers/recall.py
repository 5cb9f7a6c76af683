"""What a new study takes from former ones: their configurations, and where each stood there."""

from collections.abc import Mapping
from typing import Any

from search.errors import SpecError
from search.journal.events import FormerTrial, WarmStarted
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.samplers.epoch_aware.history import read
from search.policy.samplers.epoch_aware.ranks import scores
from search.policy.samplers.optuna_adapter import OptunaSampler
from search.policy.samplers.registry import SAMPLERS
from search.spec.space import Dimension, contains, parse_space
from search.spec.study import StudySpec
from trainables.core.hyperparameters import Declaration

#: Trials taken of one study: of the best, and of the others evenly over their places.
_BEST, _OTHERS = 60, 60


def recall(spec: StudySpec, declared: Mapping[str, Declaration], past: StudyState) -> WarmStarted:
    """Return what a study of this spec takes from a former one.

    Raises:
        SpecError: none of its trials fits the space.
    """
    space = parse_space(spec.space, declared)
    found, misfit = list[FormerTrial](), "none of its trials has a result"
    for trial, score in scored(past) if past.best() else ():
        whole = _configuration(past, trial)
        outside = _outside(space, whole)
        if outside is None:
            params = {name: whole[name] for name in space}
            found.append(FormerTrial(params=params, score=round(score, 6)))
        else:
            misfit = f"{outside} = {whole.get(outside)!r} is not in space.{outside}"
    if not found:
        raise SpecError(
            f"search.warm_start: nothing of study {past.created.name!r} can be used: {misfit}"
        )
    ranked = sorted(found, key=lambda one: -one.score)
    others = ranked[_BEST:]
    count = min(len(others), _OTHERS)
    places = [round(k * (len(others) - 1) / max(count - 1, 1)) for k in range(count)]
    chosen = [*ranked[:_BEST], *(others[place] for place in places)]
    return WarmStarted(study=past.created.name, trials=chosen)


def scored(past: StudyState) -> list[tuple[Trial, float]]:
    """Return the trials that say something, each with its place among all: more is better."""
    sampler = SAMPLERS["auto"]()
    assert isinstance(sampler, OptunaSampler)
    history = read(sampler.history(past).trials(), past.rungs.epochs, 1.0)
    places = zip(history.known, scores(history.progress), strict=True)
    return [(past.trials[told.number], float(z)) for told, z in places if z == z]


def _configuration(past: StudyState, trial: Trial) -> dict[str, Any]:
    """Return all hyperparameters of a trial, those by default too."""
    defaults = {name: one.default for name, one in past.hyperparameters.items()}
    return {**defaults, **trial.spec.fixed, **trial.params}


def _outside(space: Mapping[str, Dimension], params: Mapping[str, Any]) -> str | None:
    """Return the first dimension that does not have a configuration's value."""
    for name, dimension in space.items():
        if name not in params or not contains(dimension, params[name]):
            return name
    return None
