"""A window on a study's past, so that a sampler's thousandth question costs as its hundredth."""

import bisect
from collections import deque
from collections.abc import Container, Sequence

from optuna.trial import FrozenTrial, TrialState

from search.policy.samplers.storage import StudyStorage

#: Completed and pruned trials seen of the latest. TPE's suggestion takes 17 ms behind 2,000 trials
#: with 200, and 69 ms with all of them (``tests/benchmarks/overhead.py``).
LATEST = 200

#: Completed and pruned trials seen of the best. TPE calls a tenth of the trials good, 25 at most.
BEST = 25


class RecentTrialsStorage(StudyStorage):
    """Optuna's storage in memory, which shows the latest and the best trials that have ended.

    TPE needs the best trials and a recent sample of the rest. Failed, running and paused trials are
    always shown. Trials enter running, and less is better.
    """

    def __init__(self) -> None:
        super().__init__()
        self._latest: deque[int] = deque()
        self._best: list[tuple[tuple[int, int, float], int]] = []
        self._unseen: set[int] = set()

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Return the shown trials, in number order."""
        trials = super().get_all_trials(study_id, deepcopy, states)
        return [trial for trial in trials if trial.number not in self._unseen]

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """End a trial, as Optuna does, and rank it among the latest and the best."""
        changed: bool = super().set_trial_state_values(trial_id, state, values)
        if state in (TrialState.COMPLETE, TrialState.PRUNED):
            self._place(self.get_trial(trial_id))
        return changed

    def _place(self, trial: FrozenTrial) -> None:
        self._latest.append(trial.number)
        bisect.insort(self._best, (self._rank(trial), trial.number))
        dropped = {number for _, number in self._best[BEST:]}
        del self._best[BEST:]
        if len(self._latest) > LATEST:
            dropped.add(self._latest.popleft())
        kept = {number for _, number in self._best}.union(self._latest)
        self._unseen |= dropped - kept

    def _rank(self, trial: FrozenTrial) -> tuple[int, int, float]:
        """Rank as TPE does: completed trials by value, then stopped ones by epoch and value."""
        if trial.state == TrialState.COMPLETE:
            assert trial.value is not None
            return 0, 0, trial.value
        epoch, value = max(trial.intermediate_values.items(), default=(0, 0.0))
        return 1, -epoch, value
