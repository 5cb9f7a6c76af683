"""Ends a search early: Ctrl-C, SIGTERM, the time budget, and ``seqtune stop``.

The journal is complete at every moment, so nothing need be waited for: the first signal asks the
driver to leave at its next step, and a timer makes sure that it does. A second one is immediate.
"""

import _thread
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType

from search.errors import StudyFailed, StudyNotFound
from search.journal.folder import StudyDir
from search.monitor.say import say

#: Seconds after the first signal at which the process ends whatever it is doing.
PATIENCE_SECONDS = 4.0

#: Seconds that ``seqtune stop`` waits. The driver leaves within five; the rest is for a busy
#: machine.
STOP_SECONDS = 30.0

_REASONS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class Halt(BaseException):
    """Leaves the search now. It is no ``Exception``, for Ray swallows those in its hooks."""

    def __init__(self, reason: str, exit_code: int) -> None:
        super().__init__(reason)
        self.reason, self.exit_code = reason, exit_code


@dataclass
class Interrupter:
    """Whether to go on; asked by the driver at every step.

    Until ``listening`` it takes no signal over, and then it never ends the process.

    Attributes:
        time_budget: seconds from its making on.
        resume_hint: gives the command that resumes the study, or nothing before it has begun.
        failure: what of Ray has died, if it has.
    """

    time_budget: float | None = None
    resume_hint: Callable[[], str] = str
    failure: str | None = None
    _listening: bool = False
    _started: float = field(default_factory=time.monotonic)
    _signal: int | None = None
    _asked: bool = False

    def check(self) -> None:
        """Raise ``Halt`` when a signal came or the time is up."""
        self._asked = True
        if self._signal is not None:
            raise Halt(_REASONS[signal.Signals(self._signal)], 128 + self._signal)
        if self.seconds_left() == 0.0:
            raise Halt("time budget spent", 0)

    def seconds_left(self) -> float | None:
        """Return what is left of the time budget; None without one."""
        if self.time_budget is None:
            return None
        return max(0.0, self.time_budget - (time.monotonic() - self._started))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals over for the length of the block."""
        old = {number: signal.getsignal(number) for number in (*_REASONS, signal.SIGALRM)}
        self._listening = True
        self.listen_again()
        signal.signal(signal.SIGALRM, self._time_is_up)
        signal.setitimer(signal.ITIMER_REAL, self.time_budget or 0.0)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            for number, handler in old.items():
                signal.signal(number, handler)

    def listen_again(self) -> None:
        """Take the signals back after ``ray.init``, which installs handlers of its own."""
        for number in _REASONS if self._listening else ():
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None:
            self._leave(number)
        self._signal = number
        timer = threading.Timer(PATIENCE_SECONDS, self._leave, [number])
        timer.daemon = True
        timer.start()
        if not self._asked:  # nobody looks yet: the search has not begun
            self.check()

    def _time_is_up(self, number: int, frame: FrameType | None) -> None:
        if not self._asked:  # spent before the search began
            self.check()

    def ray_died(self, what: str) -> None:
        """End the process: without Ray its main thread may hang for ever.

        A process that is not ours to end is told, and gets a KeyboardInterrupt in its main thread.
        Where that hangs in Ray's own code, Ray ends the process after a minute.
        """
        self.failure = what
        if self._listening:
            self._exit(f"seqtune: {what}; {self.resume_hint()}", 1)
        say(f"seqtune: {what}; resume the study")
        _thread.interrupt_main()

    def _leave(self, number: int) -> None:
        self._exit(self.resume_hint(), 128 + number)

    def _exit(self, message: str, code: int) -> None:
        """End the process at once; the journal is complete at every moment."""
        if message:
            say(f"\n{message}")
        os._exit(code)


def ask_to_stop(folder: StudyDir) -> None:
    """Send SIGTERM to the driver and wait until the study is let go.

    Raises:
        StudyNotFound: nobody runs it, or somebody on another machine does.
        StudyFailed: the driver is still there after 30 s.
    """
    driver = folder.running_driver()
    if driver is None:
        raise StudyNotFound(f"study {folder.name!r} is not running")
    if driver.host != socket.gethostname():
        raise StudyNotFound(
            f"study {folder.name!r} is run by process {driver.pid} on {driver.host}: "
            "stop it on that machine"
        )
    with suppress(ProcessLookupError):  # it has left a moment ago
        os.kill(driver.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while folder.running_driver() is not None:
        if time.monotonic() > deadline:
            raise StudyFailed(f"process {driver.pid} still runs study {folder.name!r}")
        time.sleep(0.1)
