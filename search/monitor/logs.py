"""The logs of a study: what its drivers said, and what went wrong in each trial."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from cluster.errors import ClusterError
from search.journal.events import AttemptFailed, Event, TrialRestored
from search.journal.folder import StudyDir
from search.journal.state import StudyState
from search.monitor.say import LOGGER
from trainables.errors import SeqtuneError

_FORMAT = "%(asctime)s %(message)s"


@contextmanager
def logging_to(folder: StudyDir) -> Iterator[None]:
    """Log to the study's folder for the length of the block.

    Only errors are logged before the study has begun, so that a refused one leaves nothing. What
    nobody expected is logged with its traceback.
    """
    handler = _StudyHandler(folder)
    handler.setFormatter(_EachLine(_FORMAT))
    LOGGER.addHandler(handler)
    try:
        yield
    except (SeqtuneError, ClusterError):
        raise
    except Exception as error:
        LOGGER.error("an unexpected error ended the search", exc_info=error)
        raise
    finally:
        LOGGER.removeHandler(handler)
        handler.close()


class _EachLine(logging.Formatter):
    """Writes the time before each line of what was said at once."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Format a record less its traceback."""
        return "\n".join(f"{record.asctime} {line}" for line in record.message.split("\n"))


class _StudyHandler(logging.FileHandler):
    """A file that is made with its first record."""

    def __init__(self, folder: StudyDir) -> None:
        super().__init__(folder.driver_log, encoding="utf-8", delay=True)
        self._folder, self._begun = folder, False

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write a record."""
        self._begun = self._begun or self._folder.exists()
        return record.levelno >= logging.ERROR or self._begun

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        if self.stream is None:
            self._folder.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Do nothing: a full disk must not end a search for want of a log."""


class TrialLogs:
    """Follows a study and writes why attempts failed into the log of their trial.

    The trial's own process writes its warnings there. Most trials have no log, for want of either.
    """

    def __init__(self, folder: StudyDir) -> None:
        folder.logs.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder

    def __call__(self, event: Event, state: StudyState) -> None:
        """Write what an event says of trouble."""
        match event:
            case AttemptFailed():
                text = f"attempt {event.attempt} failed ({event.kind}): {event.cause}"
                text += f"\n{event.detail.rstrip()}" if event.detail.strip() else ""
            case TrialRestored():
                text = f"attempt {event.attempt}: {event.reason}; retraining from epoch "
                text += str(event.epoch)
            case _:
                return
        _append(self._folder.root / self._folder.trial_log(event.trial), text)


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {text}\n")
