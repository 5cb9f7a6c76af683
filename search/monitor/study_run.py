"""TensorBoard's run of the study itself: the best value so far, and the fates of the trials."""

from collections import Counter
from typing import Any

from search.journal.events import (
    AttemptFailed,
    AttemptStarted,
    EpochDone,
    Event,
    SessionStarted,
    TrialEnded,
)
from search.journal.layout import STUDY_RUN
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.monitor import hparams
from search.monitor.event_files import EventFiles, scalars

_ENDS = ("completed", "pruned", "failed")


class StudyRun:
    """Follows a study into one run, with a point at each trial's end.

    It counts for itself: the state says where the study stands now, and not where it stood. Values
    are the state's, which has them by the study's present metric.
    """

    def __init__(self, state: StudyState, files: EventFiles) -> None:
        self._files, self._state = files, state
        self._ends: Counter[str] = Counter()
        self._best: float | None = None
        self._running: set[int] = set()

    def restore(self, dumped: dict[str, Any]) -> None:
        """Go on where ``dump`` was called."""
        self._ends, self._best = Counter(dumped["ends"]), dumped["best"]
        self._running = set(dumped["running"])

    def dump(self) -> dict[str, Any]:
        """Return plain JSON for ``restore``."""
        return {"ends": dict(self._ends), "best": self._best, "running": sorted(self._running)}

    def describe(self) -> None:
        """Write what the HParams plug-in must know of the study."""
        self._files.write(STUDY_RUN, hparams.experiment([self._state]))

    def follow(self, event: Event, when: float) -> None:
        """Count one event in; ``when`` is in seconds since 1970."""
        match event:
            case SessionStarted():
                self._running.clear()
            case AttemptStarted():
                self._running.add(event.trial)
            case AttemptFailed():
                self._running.discard(event.trial)
            case EpochDone():
                if event.decision == "pause":
                    self._running.discard(event.trial)
                self._take(self._state.trials[event.trial], event.epoch)
            case TrialEnded():
                self._running.discard(event.trial)
                self._ends[event.state] += 1
                self._files.write(STUDY_RUN, scalars(self._values(), self._ends.total(), when))
            case _:
                pass

    def _take(self, trial: Trial, epoch: int) -> None:
        value = trial.epochs.value(epoch - 1) if self._state.is_comparable(trial) else None
        if value is not None:
            cost = self._state.objective.cost
            self._best = value if self._best is None else min(self._best, value, key=cost)

    def _values(self) -> dict[str, float | None]:
        return {
            hparams.best_tag(self._state.objective.metric): self._best,
            **{f"study/{end}": float(self._ends[end]) for end in _ENDS},
            "study/slots_busy": float(len(self._running)),
        }
