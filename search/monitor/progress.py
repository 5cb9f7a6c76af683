"""Live progress on stderr: a table in a terminal, plain lines elsewhere."""

import socket
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from search.journal.events import EpochDone, Event, SearchConcluded, TrialEnded, TrialRestored
from search.journal.state import StudyState
from search.monitor.say import say
from search.monitor.streams import for_people
from search.report.rows import table_row
from search.report.tables import as_table, chance, short

#: Seconds between two drawings of the table.
REDRAW_SECONDS = 0.5
_SHOWN = 12


class Progress:
    """Follows a study and shows where it stands."""

    def __init__(
        self,
        state: StudyState,
        seconds_left: Callable[[], float | None] = lambda: None,
        console: Console | None = None,
    ) -> None:
        """``seconds_left`` is what the time budget leaves; None without one."""
        self._state, self._seconds_left = state, seconds_left
        self._console = console or Console(file=for_people())
        self._started = time.monotonic()
        self._done_before = self._done()
        self._drawn = 0.0
        self._live: Live | None = None
        self._lines: list[str] = []
        self._slow = {socket.gethostname()}  # of this machine it is said before the start

    def __enter__(self) -> "Progress":
        if self._console.is_terminal:
            self._live = Live(
                self._picture(), console=self._console, auto_refresh=False, transient=True
            )
            self._live.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._say_lines()
        if self._live is not None:
            self._live.stop()

    def redraw(self) -> None:
        """Print the lines of what has come, or draw the table again when it is time; the driver
        calls this at every step."""
        self._say_lines()
        now = time.monotonic()
        if self._live is not None and now - self._drawn >= REDRAW_SECONDS:
            self._drawn = now
            self._live.update(self._picture(), refresh=True)

    def _say_lines(self) -> None:
        """Print in one go what several events had to say: each go takes as long as a line."""
        if self._lines:
            say(*self._lines)
            self._lines.clear()

    def __call__(self, event: Event, state: StudyState) -> None:
        """Take a line for an event, where there is no table."""
        if isinstance(event, TrialRestored):
            self._lines.append(
                f"trial {event.trial}: {event.reason}; retraining from epoch {event.epoch}"
            )
        if isinstance(event, EpochDone):
            self._tell_slow(event)
        if self._live is not None:
            return
        match event:
            case EpochDone():
                paused = f"; paused ({event.reason})" if event.decision == "pause" else ""
                last = state.trials[event.trial].spec.stopping.max_epochs
                self._lines.append(
                    f"trial {event.trial} epoch {event.epoch}/{last} "
                    f"{state.spec.metric} {short(event.value)} in {event.seconds:.1f} s{paused}"
                )
            case TrialEnded():
                why = f" ({event.reason})" if event.reason else ""
                self._lines.append(f"trial {event.trial} {event.state}{why}; {self._headline()}")
            case SearchConcluded():
                self._lines.append(f"no more trials: {event.reason}")
            case _:
                pass

    def _tell_slow(self, epoch: EpochDone) -> None:
        """Say of a machine, once, that it trains without the native kernel."""
        if epoch.numerics is None:  # as before
            return
        slow = epoch.numerics.device == "cpu" and epoch.numerics.recurrence == "torch"
        host = self._state.trials[epoch.trial].epochs[-1].host
        if slow and host not in self._slow:
            self._slow.add(host)
            self._lines.append(
                f"note: {host} has no C++ compiler (c++, or what CXX names) that works: "
                "torch's own layers compute there, at about half the speed"
            )

    def _headline(self) -> str:
        state = self._state
        best = state.best()
        top = f"best {short(best.value)} (trial {best.trial.number})" if best else "no best"
        stopped = f"{state.trials.ends['pruned']} stopped early"
        if state.trials.paused:
            stopped += f", {len(state.trials.paused)} paused"
        done = f"{state.trials.ended}/{state.total} done"
        return f"{done}, {stopped}, {top}{self._ahead()}, {self._eta()}"

    def _ahead(self) -> str:
        """Say how surely the best is known, and what is still expected of the search."""
        said = self._state.outlook
        if said is None:
            return ""
        sure = f", trial {said.leader} leads with {chance(said.chance)}"
        if not said.left or self._state.concluded is not None:
            return sure
        return f"{sure}, {said.left} more may gain {short(said.gain)}"

    def _done(self) -> int:
        """Count the trials that have ended, or will without much more: few paused ones go on."""
        return self._state.trials.ended + len(self._state.trials.paused)

    def _eta(self) -> str:
        done = self._done() - self._done_before
        allowed = self._seconds_left()
        if done <= 0:  # paused ones that go on are not done any more
            return "time left unknown" if allowed is None else f"at most {_clock(allowed)} left"
        left = (time.monotonic() - self._started) / done * (self._state.total - self._done())
        if allowed is not None and allowed < left:
            return f"{_clock(allowed)} of the time budget left"
        return f"about {_clock(left)} left"

    def _picture(self) -> Group:
        """Return the headline, the running trials, and the newest of the others."""
        state = self._state
        running = [state.trials[number] for number in sorted(state.trials.running)[:_SHOWN]]
        newest = state.trials[: -1 - _SHOWN - len(state.trials.running) : -1]
        others = [trial for trial in newest if trial.state != "running"]
        shown = (running + others)[:_SHOWN]
        rows = [table_row(trial, state, running=True) for trial in shown]
        columns = ["number", "state", "epoch", "value", "params"]
        headline = Text(f"{state.created.name}: {self._headline()}", style="bold")
        if not rows:
            return Group(headline, Text("starting workers ..."))
        return Group(headline, as_table("", rows, columns, self._console.width))


def _clock(seconds: float) -> str:
    """Format a time as minutes and seconds, with hours and days before them where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours}:{minutes:02d}:{rest:02d}"
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
