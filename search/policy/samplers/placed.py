"""Stopped trials as a sampler that knows no epochs can use them: by their places among all."""

import copy
from collections.abc import Container, Sequence

from optuna.trial import FrozenTrial, TrialState

from search.policy.samplers.epoch_aware.history import read
from search.policy.samplers.epoch_aware.ranks import scores
from search.policy.samplers.storage import StudyStorage

ENDED = (TrialState.COMPLETE, TrialState.PRUNED)

#: Ended trials that are shown, of the best and of the latest.
BEST, LATEST = 20, 20


class PlacedTrialsStorage(StudyStorage):
    """Optuna's storage in memory, which shows each trial that has ended as a completed one.

    Its value is where it stands among all, by a normal score: trials of different epochs are then
    comparable, and less is better. Of many only the best and the latest are shown, for the time
    that Optuna's Gaussian process takes grows with the cube of their number.
    """

    def __init__(self, rungs: Sequence[int]) -> None:
        super().__init__()
        self._rungs = rungs

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Return the trials, in number order."""
        if states is not None and not any(state in states for state in ENDED):
            return super().get_all_trials(study_id, deepcopy, states)
        trials = self._placed(super().get_all_trials(study_id, deepcopy))
        return [trial for trial in trials if states is None or trial.state in states]

    def _placed(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        history = read(trials, self._rungs, 1.0)
        numbers = [trial.number for trial in history.known]
        places = dict(zip(numbers, scores(history.progress), strict=True))
        ended = [trial.number for trial in trials if trial.state in ENDED]
        ended = [number for number in ended if number in places]
        best = sorted(ended, key=lambda number: -places[number])[:BEST]
        seen = {*best, *ended[-LATEST:]}
        shown = []
        for trial in trials:
            if trial.number in seen:
                trial = copy.copy(trial)
                trial.state, trial.value = TrialState.COMPLETE, -float(places[trial.number])
            elif trial.state in ENDED:
                continue
            shown.append(trial)
        return shown
