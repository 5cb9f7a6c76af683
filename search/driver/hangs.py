"""Attempts that no longer report: each has a deadline that follows from its own epochs.

Time is the monotonic clock's, so a wall clock that jumps disturbs nothing.
"""

import math
import time
from collections.abc import Callable

from search.journal.events import AttemptFailed, AttemptStarted, EpochDone, Event, TrialEnded
from search.journal.state import StudyState
from search.spec.study import ResourcesSpec


class HangWatch:
    """Follows a study and tells which attempts are overdue."""

    def __init__(
        self,
        resources: ResourcesSpec,
        report_seconds: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``report_seconds`` is how long an epoch may wait to be reported with the next."""
        self._report_seconds = report_seconds
        self._factor, self._floor = resources.hang_factor, resources.hang_seconds
        self._first = resources.first_report_seconds
        self._clock = clock
        self._since: dict[tuple[int, int], float] = {}
        self._longest: dict[tuple[int, int], float] = {}
        self._earliest = -math.inf

    def __call__(self, event: Event, state: StudyState) -> None:
        """Start, move and stop the clocks of attempts."""
        self._earliest = -math.inf
        match event:
            case AttemptStarted():
                self._since[event.trial, event.attempt] = self._clock()
            case EpochDone():
                key = (event.trial, event.attempt)
                if event.decision == "pause":
                    self._since.pop(key, None)
                    return
                self._since[key] = self._clock()
                self._longest[key] = max(event.seconds, self._longest.get(key, 0.0))
            case AttemptFailed():
                self._since.pop((event.trial, event.attempt), None)
            case TrialEnded():
                for key in [key for key in self._since if key[0] == event.trial]:
                    del self._since[key]
            case _:
                pass

    def restart(self, attempt: tuple[int, int]) -> None:
        """Start an attempt's clock again: it has waited for a machine, not hung."""
        self._earliest = -math.inf
        self._since[attempt] = self._clock()

    def overdue(self) -> list[tuple[int, int]]:
        """Return the trial and attempt numbers past their deadline.

        The deadline is ``hang_factor`` times the attempt's longest epoch, and ``hang_seconds`` at
        least. Before its first report an attempt has ``first_report_seconds``: its pace is not
        known yet, and it may first retrain epochs that a damaged checkpoint has lost.
        """
        now = self._clock() - self._report_seconds
        if now <= self._earliest:  # asked at every step, while deadlines are seconds apart
            return []
        deadlines = {key: since + self._allowed(key) for key, since in self._since.items()}
        self._earliest = min(deadlines.values(), default=math.inf)
        return [key for key, deadline in deadlines.items() if now > deadline]

    def _allowed(self, attempt: tuple[int, int]) -> float:
        longest = self._longest.get(attempt)
        if longest is None:
            return self._first
        return max(self._floor, self._factor * longest)
