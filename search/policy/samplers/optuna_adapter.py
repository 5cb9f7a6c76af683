"""Who chooses the next configuration: Optuna, asked afresh each time over the study's history.

A new sampler is made for every question, seeded by the study's seed and the trial's number, so the
same journal gives the same answer and no generator's state need be stored. Optuna's own storage
stays in memory; the journal is the truth and this is a view of it.
"""

import hashlib
from datetime import datetime
from typing import Any

import optuna
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.journal.events import (
    EpochDone,
    Event,
    SpecChanged,
    StudyCreated,
    TrialCreated,
    TrialEnded,
)
from search.journal.state import revalued
from search.policy.samplers.window import RecentTrialsStorage
from search.spec.space import contains, to_distributions
from search.spec.study import StudySpec

_ENDS = {
    "completed": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


def derive_seed(seed: int, *keys: int | str) -> int:
    """A 32-bit seed that depends on all of its arguments."""
    text = "/".join(map(str, (seed, *keys)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def make_sampler(kind: str, seed: int) -> BaseSampler:
    """Optuna's sampler by name.

    TPE's ``multivariate`` and ``constant_liar``, on by default since Optuna 5, are off: in searches
    simulated on recorded learning curves they made no difference beyond chance
    (``tests/benchmarks/samplers.py``), and the plain one is the simplest.
    """
    if kind == "random":
        return RandomSampler(seed=seed)
    if kind == "gp":
        return GPSampler(seed=seed)
    return TPESampler(seed=seed, multivariate=False, constant_liar=False)


class Sampler:
    """An Optuna study kept in step with the journal, trial for trial."""

    def __init__(self, spec: StudySpec) -> None:
        self._past: list[Event] = []
        self._corpus = ""
        self._corpora: dict[int, str] = {}
        self._begin(spec)

    def _begin(self, spec: StudySpec) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        direction = StudyDirection.MAXIMIZE if spec.mode == "max" else StudyDirection.MINIMIZE
        self._spec = spec
        self._space = spec.dimensions()
        self._distributions = to_distributions(self._space)
        windowed = spec.search.sampler == "tpe"  # only its cost grows with what was stopped
        self._storage = RecentTrialsStorage(spec.mode) if windowed else InMemoryStorage()
        self.study = optuna.create_study(storage=self._storage, direction=direction)
        self._suggested: int | None = None
        self._best: dict[int, float] = {}

    def suggest(self, number: int) -> TrialCreated:
        """The next configuration, as the event that makes it true.

        The first trials take ``[[first]]`` in order; what one leaves open is drawn.
        """
        kind, first = self._spec.search.sampler, self._spec.first
        seed = derive_seed(self._spec.search.seed, "sampler", number)
        preset = dict(first[number]) if number < len(first) else {}
        self.study.sampler = make_sampler("random" if preset else kind, seed)
        drawn = {name: d for name, d in self._distributions.items() if name not in preset}
        trial = self.study.ask(fixed_distributions=drawn)
        for name, value in preset.items():
            self._set_param(trial._trial_id, name, value)
        self._suggested = trial.number
        frozen = self._storage.get_trial(trial._trial_id)
        return TrialCreated(
            trial=number,
            params={name: frozen.params[name] for name in self._distributions},
            origin="first" if preset else kind,
            attributes=dict(frozen.system_attrs),
        )

    def _set_param(self, trial_id: int, name: str, value: Any) -> None:
        distribution = self._distributions[name]
        internal = distribution.to_internal_repr(value)
        self._storage.set_trial_param(trial_id, name, internal, distribution)

    def apply(self, event: Event) -> None:
        """Follows the journal: a new trial, an epoch's value, an end, another search.

        Trials over data that is no longer the study's count as failed: Optuna passes them over.
        """
        if isinstance(event, (TrialCreated, EpochDone, TrialEnded)):
            if isinstance(event, TrialCreated):
                self._corpora[event.trial] = self._corpus
            self._past.append(event)
            self._follow(event)
        elif isinstance(event, StudyCreated):
            self._corpus = event.corpus
        elif isinstance(event, SpecChanged):
            self._corpus = event.corpus
            self._begin(StudySpec.model_validate(event.spec))
            for past in self._past:
                self._follow(past)

    def _follow(self, event: Event) -> None:
        match event:
            case TrialCreated():
                if self._suggested != event.trial:
                    self._add(event)
                self._suggested = None
            case EpochDone() if self._compared(event.trial):
                self._value(event.trial, event.epoch, revalued(event, self._spec.metric).value)
            case TrialEnded():
                state = event.state if self._compared(event.trial) else "failed"
                value = self._best.pop(event.trial, None)
                state = "failed" if value is None and state == "completed" else state
                values = None if value is None or state == "failed" else [value]
                self._storage.set_trial_state_values(self._id(event.trial), _ENDS[state], values)
            case _:
                pass

    def _compared(self, number: int) -> bool:
        """Whether a trial is over the study's present data."""
        return self._corpora[number] == self._corpus

    def _value(self, number: int, epoch: int, value: float | None) -> None:
        if value is None:
            return
        self._storage.set_trial_intermediate_value(self._id(number), epoch, value)
        pick = max if self._spec.mode == "max" else min
        self._best[number] = pick(self._best.get(number, value), value)

    def _add(self, event: TrialCreated) -> None:
        """A trial of the journal's; of its values those that lie in the space as it is now."""
        params = {
            name: event.params[name]
            for name, dimension in self._space.items()
            if name in event.params and contains(dimension, event.params[name])
        }
        self.study.add_trial(
            FrozenTrial(
                number=event.trial,
                trial_id=-1,
                state=TrialState.RUNNING,
                value=None,
                datetime_start=datetime.now(),
                datetime_complete=None,
                params=params,
                distributions={name: self._distributions[name] for name in params},
                user_attrs={},
                system_attrs=event.attributes,
                intermediate_values={},
            )
        )

    def _id(self, number: int) -> int:
        study_id: int = self.study._study_id
        found: int = self._storage.get_trial_id_from_study_id_trial_number(study_id, number)
        return found
