"""Random search: every configuration drawn alike, whatever has come of the others."""

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.samplers import RandomSampler

from search.journal.state import StudyState
from search.policy.samplers.base import Sampler, Suggestion
from search.policy.samplers.optuna_adapter import to_distributions
from search.policy.seeds import derive_seed
from search.spec.space import Dimension


class RandomSearch(Sampler):
    """Looks at the space and the seed alone."""

    def suggest(self, state: StudyState, number: int) -> Suggestion:
        """Draw a configuration from the whole space."""
        return Suggestion(draw(state, number, state.space))


def draw(state: StudyState, number: int, space: Mapping[str, Dimension]) -> dict[str, Any]:
    """Draw trial ``number``'s values of some dimensions, log-uniform where they say so."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    seed = derive_seed(state.spec.search.seed, "sampler", number)
    study = optuna.create_study(sampler=RandomSampler(seed=seed))
    return dict(study.ask(fixed_distributions=to_distributions(space)).params)
