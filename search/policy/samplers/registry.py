"""The samplers by name, and the next trial by the study's rules."""

from collections.abc import Callable
from typing import Any

from search.errors import SpecError
from search.journal.events import TrialCreated
from search.journal.state import StudyState
from search.policy.samplers.base import Sampler
from trainables.errors import did_you_mean


def _random() -> Sampler:
    from search.policy.samplers.random_search import RandomSearch

    return RandomSearch()


def _tpe() -> Sampler:
    """Tree-structured Parzen estimators (Bergstra et al. 2011).

    ``multivariate`` and ``constant_liar``, on by default since Optuna 5, are off: in searches
    simulated on recorded learning curves they made no difference beyond chance
    (``tests/benchmarks/samplers.py``), and the plain one is the simplest.
    """
    from optuna.samplers import TPESampler

    from search.policy.samplers.optuna_adapter import OptunaSampler
    from search.policy.samplers.window import RecentTrialsStorage

    return OptunaSampler(
        lambda seed, state: TPESampler(seed=seed, multivariate=False, constant_liar=False),
        lambda state: RecentTrialsStorage(),
    )


def _gp() -> Sampler:
    """Optuna's Gaussian process, which is shown stopped trials by their places among all."""
    from optuna.samplers import GPSampler

    from search.policy.samplers.optuna_adapter import OptunaSampler
    from search.policy.samplers.placed import PlacedTrialsStorage

    return OptunaSampler(
        lambda seed, state: GPSampler(seed=seed),
        lambda state: PlacedTrialsStorage(state.rungs.epochs),
        whole_only=True,
        reads_rungs=True,
    )


def _auto() -> Sampler:
    """Our own, which knows the epoch: see ``epoch_aware/sampler.py``."""
    from search.policy.samplers.epoch_aware.sampler import EpochAwareSampler
    from search.policy.samplers.optuna_adapter import OptunaSampler

    return OptunaSampler(
        lambda seed, state: EpochAwareSampler(seed, rungs=state.rungs.epochs), reads_rungs=True
    )


SAMPLERS: dict[str, Callable[[], Sampler]] = {
    "auto": _auto,
    "tpe": _tpe,
    "gp": _gp,
    "random": _random,
}


def check_sampler(name: str) -> None:
    """Make sure that there is a sampler of this name.

    Raises:
        SpecError: there is none.
    """
    if name not in SAMPLERS:
        hint = did_you_mean(name, list(SAMPLERS))
        raise SpecError(f"search.sampler = {name!r}: no such sampler: {hint}")


class TrialChooser:
    """Makes each new trial: one of ``[[first]]``, or what the study's sampler suggests."""

    def __init__(self) -> None:
        self._samplers: dict[str, Sampler] = {}

    def choose(self, state: StudyState) -> TrialCreated:
        """Choose the next trial.

        The first trials take ``[[first]]`` in order; what one leaves open is drawn at random.
        """
        number, first = len(state.trials), state.spec.first
        if number < len(first) and first[number]:
            return self._first(state, number, first[number])
        kind = state.spec.search.sampler
        suggestion = self._sampler(kind).suggest(state, number)
        params = {name: suggestion.params[name] for name in state.space}
        return TrialCreated(
            trial=number, params=params, origin=kind, attributes=suggestion.attributes
        )

    def _first(self, state: StudyState, number: int, preset: dict[str, Any]) -> TrialCreated:
        from search.policy.samplers.random_search import draw

        left = {name: dimension for name, dimension in state.space.items() if name not in preset}
        values = draw(state, number, left) | preset
        params = {name: values[name] for name in state.space}
        return TrialCreated(trial=number, params=params, origin="first")

    def _sampler(self, kind: str) -> Sampler:
        if kind not in self._samplers:
            self._samplers[kind] = SAMPLERS[kind]()
        return self._samplers[kind]
