"""Optuna's samplers over a study's state.

A new sampler is made for every question, seeded by the study's seed and the trial's number, so the
same state gives the same answer and no generator's state need be stored. Optuna's storage stays in
memory, follows the state from question to question, and is derived from it alone.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.samplers.base import Sampler, Suggestion
from search.policy.seeds import derive_seed
from search.spec.space import Choice, Dimension, contains

_NAME = "seqtune"
_ENDS = {
    "completed": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}

#: A sampler of Optuna's for one question, from its seed.
MakeSampler = Callable[[int], BaseSampler]


class OptunaSampler(Sampler):
    """Asks an Optuna study that is kept in step with the state, trial for trial."""

    def __init__(
        self,
        make: MakeSampler,
        new_storage: Callable[[], InMemoryStorage] = InMemoryStorage,
        whole_only: bool = False,
    ) -> None:
        """``whole_only`` passes over trials that lack a dimension of the space as it is now.

        They were made before a forced change. Some of Optuna's samplers search only the dimensions
        that all trials share, and would drop the new ones for good.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._make, self._new_storage, self._whole_only = make, new_storage, whole_only
        self._history: _History | None = None

    def suggest(self, state: StudyState, number: int) -> Suggestion:
        """Ask Optuna's sampler, behind the state's trials."""
        seed = derive_seed(state.spec.search.seed, "sampler", number)
        return self.history(state).ask(self._make(seed))

    def history(self, state: StudyState) -> "_History":
        """Return the Optuna study of a state, up to date; made anew if it went astray."""
        if self._history is None or not self._history.precedes(state):
            self._history = _History(state, self._new_storage(), self._whole_only)
        self._history.follow(state)
        return self._history


class _History:
    """An Optuna study of a state's trials.

    Optuna is told costs, of which less is better, whatever the study looks for. It is told that
    trials over other data have failed, for its samplers pass over those.
    """

    def __init__(self, state: StudyState, storage: InMemoryStorage, whole_only: bool) -> None:
        self._whole_only, self._passed_over = whole_only, set[int]()
        self._revision, self._space = state.revision, state.space
        self._distributions = to_distributions(state.space)
        self.storage = storage
        self._study = storage.create_new_study([StudyDirection.MINIMIZE], _NAME)
        self._made = 0
        self._ended = 0
        self._asked: dict[str, Any] | None = None

    def precedes(self, state: StudyState) -> bool:
        """Whether this is the history of an earlier moment of the state.

        It is not where Optuna has a suggestion that did not become the next trial: Optuna cannot
        forget a trial.
        """
        made = self._made
        if self._revision != state.revision or len(state.trials) < made:
            return False
        if self._asked is None:
            return True
        return len(state.trials) > made and state.trials[made].params == self._asked

    def follow(self, state: StudyState) -> None:
        """Tell Optuna what has happened since."""
        for trial in state.trials[self._made :]:
            if self._asked is None:
                self._add(trial)
            self._asked = None
            self._made += 1
        for number in state.ended_order[self._ended :]:
            self._tell_end(state, state.trials[number])
        self._ended = state.ended

    def ask(self, sampler: BaseSampler) -> Suggestion:
        """Draw the next trial's configuration."""
        study = optuna.load_study(study_name=_NAME, storage=self.storage, sampler=sampler)
        trial = study.ask(fixed_distributions=self._distributions)
        self._asked = {name: trial.params[name] for name in self._distributions}
        frozen = self.storage.get_trial(self._id(trial.number))
        return Suggestion(dict(self._asked), dict(frozen.system_attrs))

    def _add(self, trial: Trial) -> None:
        """Add a trial, with those of its values that lie in the space as it is now."""
        params: dict[str, Any] = {
            name: trial.params[name]
            for name, dimension in self._space.items()
            if name in trial.params and contains(dimension, trial.params[name])
        }
        passed_over = self._whole_only and len(params) < len(self._space)
        if passed_over:
            self._passed_over.add(trial.number)
        now = datetime.now()
        self.storage.create_new_trial(
            self._study,
            FrozenTrial(
                number=trial.number,
                trial_id=-1,
                state=TrialState.FAIL if passed_over else TrialState.RUNNING,
                value=None,
                datetime_start=now,
                datetime_complete=now if passed_over else None,
                params=params,
                distributions={name: self._distributions[name] for name in params},
                user_attrs={},
                system_attrs=trial.attributes,
                intermediate_values={},
            ),
        )

    def _tell_end(self, state: StudyState, trial: Trial) -> None:
        """Tell the end of a trial, and where it stood: samplers rank stopped ones by that."""
        if trial.number in self._passed_over:
            return
        comparable = state.is_comparable(trial)
        value = trial.best_value if comparable else None
        end = _ENDS.get(trial.state, TrialState.FAIL)
        if not comparable or (value is None and end == TrialState.COMPLETE):
            end = TrialState.FAIL
        last = trial.epochs.last_finite if comparable else None
        if last is not None:
            epoch, reached = last
            cost = state.objective.cost(reached)
            self.storage.set_trial_intermediate_value(self._id(trial.number), epoch, cost)
        told = None if value is None or end == TrialState.FAIL else [state.objective.cost(value)]
        self.storage.set_trial_state_values(self._id(trial.number), end, told)

    def _id(self, number: int) -> int:
        found: int = self.storage.get_trial_id_from_study_id_trial_number(self._study, number)
        return found

    def trials(self) -> list[FrozenTrial]:
        """Return every trial that Optuna's sampler sees."""
        found: list[FrozenTrial] = self.storage.get_all_trials(self._study)
        return found


def to_distributions(space: Mapping[str, Dimension]) -> dict[str, BaseDistribution]:
    """Return Optuna's distribution of each dimension."""
    return {name: _distribution(dimension) for name, dimension in space.items()}


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, Choice):
        return CategoricalDistribution(dimension.options)
    if dimension.kind == "int":
        low, high = int(dimension.low), int(dimension.high)
        return IntDistribution(low, high, dimension.log, int(dimension.step or 1))
    return FloatDistribution(dimension.low, dimension.high, dimension.log, dimension.step)
