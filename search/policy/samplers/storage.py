"""Optuna's storage in memory, in which a trial can be stopped for now."""

import copy
from collections.abc import Container
from datetime import datetime

from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState


class StudyStorage(InMemoryStorage):
    """Shows paused trials as stopped ones.

    Optuna knows no pause, and cannot make a stopped trial run again. So a paused one is kept as
    running, and something else is shown in its place.
    """

    def __init__(self) -> None:
        super().__init__()
        self._paused: dict[int, FrozenTrial] = {}

    def pause(self, trial_id: int, reached: dict[int, float]) -> None:
        """Show a running trial as stopped at the step that it has ``reached``."""
        trial = copy.copy(self.get_trial(trial_id))
        trial.intermediate_values = {**trial.intermediate_values, **reached}
        trial.state, trial.datetime_complete = TrialState.PRUNED, datetime.now()
        self._paused[trial.number] = trial

    def unpause(self, number: int) -> None:
        """Show a trial as it is."""
        self._paused.pop(number, None)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Return the trials, in number order."""
        asked_for = (TrialState.WAITING,)
        if states == asked_for:  # by every suggestion; no paused trial is one
            return list(super().get_all_trials(study_id, deepcopy, asked_for))
        trials: list[FrozenTrial] = super().get_all_trials(study_id, deepcopy)
        for number, trial in self._paused.items():
            trials[number] = trial
        return trials if states is None else [t for t in trials if t.state in states]
