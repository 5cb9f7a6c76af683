"""Notices attempts that no longer report: a deadline from the study's own epochs.

Time is the monotonic clock's, so a wall clock that jumps disturbs nothing.
"""

import time
from collections.abc import Callable

from search.events import AttemptFailed, AttemptStarted, EpochDone, Event, TrialEnded
from search.spec import ResourcesSpec
from search.state import StudyState

#: Seconds an attempt has for its first epoch in a study where nothing is known of epochs yet.
FIRST_EPOCH_SECONDS = 3600.0


#: Seconds more until an attempt's first report: its process starts and imports torch.
START_SECONDS = 60.0


class HangWatch:
    """Follows a study; says which attempts are overdue."""

    def __init__(
        self, resources: ResourcesSpec, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._factor, self._floor = resources.hang_factor, resources.hang_seconds
        self._clock = clock
        self._since: dict[tuple[int, int], float] = {}
        self._longest: dict[int, float] = {}
        self._silent: set[tuple[int, int]] = set()

    def __call__(self, event: Event, state: StudyState) -> None:
        """Starts, moves and stops the clocks of attempts."""
        match event:
            case AttemptStarted():
                self._since[event.trial, event.attempt] = self._clock()
                self._silent.add((event.trial, event.attempt))
                for epoch in state.trials[event.trial].epochs:
                    self._note(event.trial, epoch.seconds)
            case EpochDone():
                self._since[event.trial, event.attempt] = self._clock()
                self._silent.discard((event.trial, event.attempt))
                self._note(event.trial, event.seconds)
            case AttemptFailed():
                self._since.pop((event.trial, event.attempt), None)
            case TrialEnded():
                for key in [key for key in self._since if key[0] == event.trial]:
                    del self._since[key]
            case _:
                pass

    def _note(self, trial: int, seconds: float) -> None:
        self._longest[trial] = max(seconds, self._longest.get(trial, 0.0))

    def restart(self, attempt: tuple[int, int]) -> None:
        """Starts an attempt's clock again: it has waited for a machine, not hung."""
        self._since[attempt] = self._clock()

    def overdue(self) -> list[tuple[int, int]]:
        """Trial and attempt numbers past their deadline.

        It is ``hang_factor`` times the trial's longest epoch; before its first, times the longest
        of any trial; never less than ``hang_seconds``; a minute more while a process starts.
        """
        now = self._clock()
        return [key for key, since in self._since.items() if now - since > self._allowed(key)]

    def _allowed(self, attempt: tuple[int, int]) -> float:
        if not self._longest:
            return max(self._floor, FIRST_EPOCH_SECONDS)
        longest = self._longest.get(attempt[0]) or max(self._longest.values())
        start = START_SECONDS if attempt in self._silent else 0.0
        return start + max(self._floor, self._factor * longest)
