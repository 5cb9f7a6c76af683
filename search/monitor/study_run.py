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
from search.journal.folder import StudyDir
from search.journal.state import StudyState
from search.monitor import hparams
from search.monitor.event_files import EventFiles, scalars

_ENDS = ("completed", "pruned", "failed")


class StudyRun:
    """Follows a study into one run, with a point at each trial's end.

    It counts for itself: the state says where the study stands now, and not where it stood.
    """

    def __init__(self, folder: StudyDir, state: StudyState, files: EventFiles) -> None:
        self._run, self._files, self._objective = folder.study_events, files, state.objective
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

    def describe(self, state: StudyState) -> None:
        """Write what the HParams plug-in must know of the study."""
        self._files.write(self._run, hparams.experiment([state]))

    def follow(self, event: Event, when: float) -> None:
        """Count one event in; ``when`` is in seconds since 1970."""
        match event:
            case SessionStarted():
                self._running.clear()
            case AttemptStarted():
                self._running.add(event.trial)
            case AttemptFailed():
                self._running.discard(event.trial)
            case EpochDone(value=float(value)):
                cost = self._objective.cost
                self._best = value if self._best is None else min(self._best, value, key=cost)
            case TrialEnded():
                self._running.discard(event.trial)
                self._ends[event.state] += 1
                self._files.write(self._run, scalars(self._values(), self._ends.total(), when))
            case _:
                pass

    def _values(self) -> dict[str, float | None]:
        return {
            hparams.best_tag(self._objective.metric): self._best,
            **{f"study/{end}": float(self._ends[end]) for end in _ENDS},
            "study/slots_busy": float(len(self._running)),
        }
