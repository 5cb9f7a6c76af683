"""The samplers by name, and the next trial by the study's rules."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from search.errors import SpecError
from search.journal.events import TrialCreated
from search.journal.state import StudyState
from search.policy.samplers.base import Sampler
from search.spec.space import centres
from search.spec.study import StudySpec
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
    from search.policy.samplers.beliefs import beliefs_of
    from search.policy.samplers.epoch_aware.beliefs import Beliefs
    from search.policy.samplers.epoch_aware.history import Reader
    from search.policy.samplers.epoch_aware.sampler import EpochAwareSampler
    from search.policy.samplers.optuna_adapter import OptunaSampler

    reader, held = Reader(), dict[int, Beliefs]()

    def make(seed: int, state: StudyState) -> EpochAwareSampler:
        if state.revision not in held:  # what is learnt of former studies takes a moment
            held.clear()
            held[state.revision] = beliefs_of(state)
        return EpochAwareSampler(
            seed, rungs=state.rungs.epochs, reader=reader, beliefs=held[state.revision]
        )

    return OptunaSampler(make, reads_rungs=True)


SAMPLERS: dict[str, Callable[[], Sampler]] = {
    "auto": _auto,
    "tpe": _tpe,
    "gp": _gp,
    "random": _random,
}


#: The setting that names former studies.
WARM_START = "search.warm_start"

#: The samplers that heed former studies and the centres of ranges.
_BELIEVING = ("auto",)


def check_sampler(spec: StudySpec, begun: bool = False) -> None:
    """Make sure that a study's sampler exists, and heeds what is said to it; of one that has
    ``begun``, but for the former studies that it began with.

    Raises:
        SpecError: there is none of that name, or a setting would have no effect.
    """
    name = spec.search.sampler
    if name not in SAMPLERS:
        hint = did_you_mean(name, list(SAMPLERS))
        raise SpecError(f"search.sampler = {name!r}: no such sampler: {hint}")
    for setting in unheeded(spec):
        if not (begun and setting == WARM_START):
            raise SpecError(
                f"{setting} has no effect with search.sampler = {name!r}: "
                "take it out, or take 'auto'"
            )


def unheeded(spec: StudySpec) -> list[str]:
    """Return the settings that would have no effect with a study's sampler."""
    if spec.search.sampler in _BELIEVING:
        return []
    centred = [
        key for key, table in spec.space.items() if isinstance(table, dict) and "prior" in table
    ]
    return [*[WARM_START] * bool(spec.search.warm_start), *(f"space.{k}.prior" for k in centred)]


def _to_repeat(state: StudyState) -> int | None:
    """Return the trial that the next one repeats, by the share of them that are to; None for a new
    configuration."""
    share = state.spec.search.replicates
    made = sum(trial.origin == "replicate" for trial in state.trials) if share else 0
    if made + 1 > share * (len(state.trials) + 1):
        return None
    # What could not be repeated while nobody had come to an end is not made up for at a stretch.
    apart = math.floor(1.0 / share) - 1
    if any(trial.origin == "replicate" for trial in state.trials[len(state.trials) - apart :]):
        return None
    from search.policy.outlook import to_repeat

    return to_repeat(state)


class TrialChooser:
    """Makes each new trial: one of ``[[first]]``, or what the study's sampler suggests."""

    def __init__(self) -> None:
        self._samplers: dict[str, Sampler] = {}
        self._first: dict[str, int] = {}
        self._looked_at = 0

    def choose(self, state: StudyState) -> TrialCreated:
        """Choose the next trial.

        The first trials take ``[[first]]`` in order; what one leaves open takes its ``prior``, or
        is drawn at random.
        """
        number, first = len(state.trials), state.spec.first
        if number < len(first) and first[number]:
            return self._preset(state, number, first[number])
        repeated = _to_repeat(state)
        if repeated is not None:
            params = dict(state.trials[repeated].params)
            again = self._first_with(state, params)
            return TrialCreated(trial=number, params=params, origin="replicate", repeats=again)
        kind = state.spec.search.sampler
        suggestion = self._sampler(kind).suggest(state, number)
        params = {name: suggestion.params[name] for name in state.space}
        return TrialCreated(
            trial=number,
            params=params,
            origin=kind,
            repeats=self._first_with(state, params),
            attributes=suggestion.attributes,
        )

    def _first_with(self, state: StudyState, params: dict[str, Any]) -> int | None:
        """Return the first trial of the same configuration, with the same things fixed, over the
        same data."""
        for trial in state.trials[self._looked_at :]:
            made = _configuration(trial.data, trial.spec.fixed, trial.params)
            self._first.setdefault(made, trial.number)
        self._looked_at = len(state.trials)
        return self._first.get(_configuration(state.data, state.spec.fixed, params))

    def _preset(self, state: StudyState, number: int, preset: dict[str, Any]) -> TrialCreated:
        from search.policy.samplers.random_search import draw

        left = {name: dimension for name, dimension in state.space.items() if name not in preset}
        values = draw(state, number, left) | centres(left) | preset
        params = {name: values[name] for name in state.space}
        first = self._first_with(state, params)
        return TrialCreated(trial=number, params=params, origin="first", repeats=first)

    def _sampler(self, kind: str) -> Sampler:
        if kind not in self._samplers:
            self._samplers[kind] = SAMPLERS[kind]()
        return self._samplers[kind]


def _configuration(data: str, fixed: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    return json.dumps([data, {**fixed, **params}], sort_keys=True)
