"""Ends a search early: Ctrl-C, SIGTERM, the time budget, ``seqtune stop``, another driver, and
trials that all fail alike.

The journal is complete at every moment, so nothing need be waited for: the first signal asks the
driver to leave at its next step, and a timer makes sure that it does. A second one is immediate.
"""

import _thread
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

from search.errors import NoFiniteResult, StudyFailed, StudyNotFound
from search.journal.folder import StudyDir
from search.journal.holder import Driver, read_driver
from search.monitor.say import say

if TYPE_CHECKING:
    from search.driver.recorder import StudyRecorder

#: Seconds after the first signal at which the process ends whatever it is doing.
PATIENCE_SECONDS = 4.0

#: Seconds that ``seqtune stop`` waits. The driver leaves within five; the rest is for a busy
#: machine.
STOP_SECONDS = 30.0

_TIME_IS_UP = "time budget spent"
_REASONS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class Halt(BaseException):
    """Leaves the search now. It is no ``Exception``, for Ray swallows those in its hooks."""

    def __init__(self, reason: str, exit_code: int) -> None:
        super().__init__(reason)
        self.reason, self.exit_code = reason, exit_code


class Hopeless(Halt):
    """Leaves a search whose trials fail. Its journal is whole, and takes the session's end."""


def check_hope(recorder: "StudyRecorder") -> None:
    """Raise ``Hopeless`` when this session's first trials have all failed alike, and more are to
    come.

    Its code says that the study has no finite result, unless an earlier trial has one.
    """
    cause = recorder.common_failure()
    if cause is not None and not recorder.state.finished:
        nothing = recorder.state.best() is None
        code = NoFiniteResult.exit_code if nothing else StudyFailed.exit_code
        raise Hopeless(f"the first trials have all failed: {cause}", code)


@dataclass
class Interrupter:
    """Whether to go on; asked by the driver at every step.

    Until ``listening`` it takes no signal over, and then it never ends the process. It is the
    ``Listener`` of the study's heartbeat.

    Attributes:
        time_budget: seconds from its making on.
        resume_hint: gives the command that resumes the study, or nothing before it has begun.
        failure: what has died, or taken the study away, if anything has.
    """

    time_budget: float | None = None
    resume_hint: Callable[[], str] = str
    failure: str | None = None
    _listening: bool = False
    _started: float = field(default_factory=time.monotonic)
    _halt: Halt | None = None
    _signalled: bool = False
    _asked: bool = False

    @property
    def owns_process(self) -> bool:
        """Whether the search is all that this process does."""
        return self._listening

    def check(self) -> None:
        """Raise ``Halt`` when the search is to leave, or the time is up."""
        self._asked = True
        if self._halt is not None:
            raise self._halt
        if self.seconds_left() == 0.0:
            raise Halt(_TIME_IS_UP, 0)

    def seconds_left(self) -> float | None:
        """Return what is left of the time budget; None without one."""
        if self.time_budget is None:
            return None
        return max(0.0, self.time_budget - (time.monotonic() - self._started))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals over for the length of the block.

        A ``Halt`` may be raised anywhere before the search begins, even where Python makes another
        error of it, as while a class is being made. It leaves the block as itself.
        """
        old = {number: signal.getsignal(number) for number in (*_REASONS, signal.SIGALRM)}
        self._listening = True
        self.listen_again()
        signal.signal(signal.SIGALRM, self._time_is_up)
        signal.setitimer(signal.ITIMER_REAL, self.time_budget or 0.0)
        try:
            yield
        except Exception as error:
            if self._halt is not None and not self._asked:
                raise self._halt from error
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            for number, handler in old.items():
                signal.signal(number, handler)

    def listen_again(self) -> None:
        """Take the signals back after ``ray.init``, which installs handlers of its own."""
        for number in _REASONS if self._listening else ():
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._signalled:
            self._leave(128 + number)
        self._signalled = True
        halt = self._halt or Halt(_REASONS[signal.Signals(number)], 128 + number)
        self._leave_soon(halt)
        if not self._asked:  # nobody looks yet: the search has not begun
            raise halt

    def _leave_soon(self, halt: Halt) -> None:
        """Leave at the next step; end the process if that does not come in time."""
        self._halt = halt
        if self._listening:
            timer = threading.Timer(PATIENCE_SECONDS, self._leave, [halt.exit_code])
            timer.daemon = True
            timer.start()

    def asked_to_stop(self) -> None:
        """Leave as after SIGTERM: ``seqtune stop`` asks, on whatever machine."""
        self._from_thread(Halt(_REASONS[signal.SIGTERM], 128 + signal.SIGTERM))

    def taken_over(self, by: Driver | None) -> None:
        """Leave, and write nothing more: another driver has the study."""
        self.failure = f"{by or 'another driver'} has taken the study over; this driver has ended"
        self._from_thread(Halt(self.failure, StudyFailed.exit_code))

    def _from_thread(self, halt: Halt) -> None:
        """Leave at the next step, or at once where the search has not begun."""
        self._leave_soon(halt)
        if not self._asked:
            _thread.interrupt_main(signal.SIGTERM if self._listening else signal.SIGINT)

    def _time_is_up(self, number: int, frame: FrameType | None) -> None:
        if not self._asked:  # spent before the search began
            self._halt = Halt(_TIME_IS_UP, 0)
            raise self._halt

    def ray_died(self, what: str) -> None:
        """End the process: without Ray its main thread may hang for ever.

        A process that is not ours to end is told, and gets a KeyboardInterrupt in its main thread.
        Where that hangs in Ray's own code, Ray ends the process after a minute.
        """
        self.failure = f"{what}: resume the study"
        if self._listening:
            self._exit(f"seqtune: {what}; {self.resume_hint()}", 1)
        say(f"seqtune: {self.failure}")
        _thread.interrupt_main()

    def _leave(self, code: int) -> None:
        message = ""
        try:
            message = self.failure or self.resume_hint()
        finally:  # whatever the study's folder has to say
            self._exit(message, code)

    def _exit(self, message: str, code: int) -> None:
        """End the process at once; the journal is complete at every moment."""
        try:
            if message:
                say(f"\n{message}")
        finally:
            os._exit(code)


def ask_to_stop(folder: StudyDir) -> None:
    """Ask the driver to leave, on whatever machine it is, and wait until the study is let go.

    Raises:
        StudyNotFound: nobody runs it.
        StudyFailed: the driver is still there after 30 s, or the study's folder takes no file.
    """
    driver = folder.running_driver()
    if driver is None:
        raise StudyNotFound(f"study {folder.name!r} is not running")
    try:
        folder.stop.touch(mode=0o600)
    except OSError as error:
        raise StudyFailed(f"cannot write {folder.stop}: {error.strerror}") from error
    deadline = time.monotonic() + STOP_SECONDS
    while read_driver(folder.lock) == driver and folder.running_driver() is not None:
        if time.monotonic() > deadline:
            raise StudyFailed(f"{driver} still runs study {folder.name!r}")
        time.sleep(0.1)
