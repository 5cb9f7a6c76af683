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
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.samplers.base import Sampler, Suggestion
from search.policy.samplers.epoch_aware.history import STEP_SECONDS
from search.policy.samplers.epoch_aware.places import SUGGESTED
from search.policy.samplers.storage import StudyStorage
from search.policy.seeds import derive_seed
from search.spec.space import Choice, Dimension, contains

_NAME = "seqtune"
_ENDS = {
    "completed": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}

#: Makes a sampler of Optuna's for one question, from its seed and the study's state.
MakeSampler = Callable[[int, StudyState], BaseSampler]


class OptunaSampler(Sampler):
    """Asks an Optuna study that is kept in step with the state, trial for trial."""

    def __init__(
        self,
        make: MakeSampler,
        new_storage: Callable[[StudyState], StudyStorage] = lambda state: StudyStorage(),
        whole_only: bool = False,
        reads_rungs: bool = False,
    ) -> None:
        """Join a sampler.

        Args:
            make: the sampler.
            new_storage: what it reads.
            whole_only: pass over trials that lack a dimension of the space as it is now. They were
                made before a forced change. Some of Optuna's samplers search only the dimensions
                that all trials share, and would drop the new ones for good.
            reads_rungs: tell it what a trial reached at each rung, when it does; else only where
                the trial ended.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._make, self._new_storage = make, new_storage
        self._whole_only, self._reads_rungs = whole_only, reads_rungs
        self._history: _History | None = None

    def suggest(self, state: StudyState, number: int) -> Suggestion:
        """Ask Optuna's sampler, behind the state's trials."""
        seed = derive_seed(state.spec.search.seed, "sampler", number)
        return self.history(state).ask(self._make(seed, state))

    def history(self, state: StudyState) -> "_History":
        """Return the Optuna study of a state, up to date; made anew if it went astray."""
        if self._history is None or not self._history.precedes(state):
            storage = self._new_storage(state)
            self._history = _History(state, storage, self._whole_only, self._reads_rungs)
        self._history.follow(state)
        return self._history


class _History:
    """An Optuna study of a state's trials.

    Optuna is told costs, of which less is better, whatever the study looks for. It is told that
    trials over other data have failed, for its samplers pass over those.
    """

    def __init__(
        self, state: StudyState, storage: StudyStorage, whole_only: bool, reads_rungs: bool
    ) -> None:
        self._whole_only, self._passed_over = whole_only, set[int]()
        self._reads_rungs, self._rungs = reads_rungs, state.rungs.epochs
        self._told: dict[int, int] = {}  # of each open trial, up to which epoch
        self._paused: dict[int, int] = {}  # of each paused trial, at which epoch
        self._revision, self._space, self._data = state.revision, state.space, state.data
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
        for trial in state.trials.all_open():
            if state.is_comparable(trial):
                self._tell_rungs(state, trial)
                self._tell_pause(state, trial)
        for number in state.trials.ended_order[self._ended :]:
            self._tell_end(state, state.trials[number])
        self._ended = state.trials.ended

    def ask(self, sampler: BaseSampler) -> Suggestion:
        """Draw the next trial's configuration."""
        study = optuna.load_study(study_name=_NAME, storage=self.storage, sampler=sampler)
        trial = study.ask(fixed_distributions=self._distributions)
        self._asked = {name: trial.params[name] for name in self._distributions}
        frozen = self.storage.get_trial(self._id(trial.number))
        attributes = {k: v for k, v in frozen.system_attrs.items() if k != SUGGESTED}
        return Suggestion(dict(self._asked), attributes)

    def _add(self, trial: Trial) -> None:
        """Add a trial, with those of its values that lie in the space as it is now."""
        comparable = trial.data == self._data
        params: dict[str, Any] = {
            name: trial.params[name]
            for name, dimension in self._space.items()
            if comparable and name in trial.params and contains(dimension, trial.params[name])
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

    def _tell_rungs(self, state: StudyState, trial: Trial) -> None:
        """Tell what a trial has reached at the rungs that it came to since."""
        before = self._told.get(trial.number, 0)
        if not self._reads_rungs or trial.number in self._passed_over or trial.epoch == before:
            return
        self._told[trial.number] = trial.epoch
        for epoch in self._rungs:
            value = trial.epochs.value(epoch - 1) if before < epoch <= trial.compared else None
            if value is not None:
                cost = state.objective.cost(value)
                self.storage.set_trial_intermediate_value(self._id(trial.number), epoch, cost)
        # Of an audited trial, what came after it had lost is told to nobody: live and replayed
        # searches would see different parts of it.
        pace = trial.epochs.total_seconds(trial.compared) / trial.compared
        self.storage.set_trial_system_attr(self._id(trial.number), STEP_SECONDS, pace)

    def _tell_pause(self, state: StudyState, trial: Trial) -> None:
        """Tell that a trial was paused, and where it stood, or that it goes on.

        One that is audited has lost, whatever becomes of it.
        """
        at = trial.compared if trial.state == "paused" or trial.audited is not None else None
        if trial.number in self._passed_over or at == self._paused.get(trial.number):
            return
        self.storage.unpause(trial.number)
        self._paused.pop(trial.number, None)
        if at is not None:
            self.storage.pause(self._id(trial.number), _last(state, trial))
            self._paused[trial.number] = at

    def _tell_end(self, state: StudyState, trial: Trial) -> None:
        """Tell the end of a trial, and where it stood: samplers rank stopped ones by that."""
        if trial.number in self._passed_over:
            return
        comparable = state.is_comparable(trial)
        value = trial.best_value if comparable else None
        end = _ENDS.get(trial.state, TrialState.FAIL)
        if not comparable or (value is None and end == TrialState.COMPLETE):
            end = TrialState.FAIL
        if comparable and trial.audited is not None:
            end = TrialState.PRUNED
        if comparable:
            self._tell_rungs(state, trial)
            for epoch, cost in _last(state, trial).items():
                self.storage.set_trial_intermediate_value(self._id(trial.number), epoch, cost)
        self._told.pop(trial.number, None)
        self._paused.pop(trial.number, None)
        self.storage.unpause(trial.number)
        told = None if value is None or end == TrialState.FAIL else [state.objective.cost(value)]
        self.storage.set_trial_state_values(self._id(trial.number), end, told)

    def _id(self, number: int) -> int:
        found: int = self.storage.get_trial_id_from_study_id_trial_number(self._study, number)
        return found

    def trials(self) -> list[FrozenTrial]:
        """Return every trial that Optuna's sampler sees."""
        found: list[FrozenTrial] = self.storage.get_all_trials(self._study)
        return found


def _last(state: StudyState, trial: Trial) -> dict[int, float]:
    """Return a trial's last finite cost by its epoch, of those at which it was compared."""
    last = trial.epochs.last_finite(trial.compared)
    return {} if last is None else {last[0]: state.objective.cost(last[1])}


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
