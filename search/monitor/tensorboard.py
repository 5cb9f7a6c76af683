"""TensorBoard event files, a run for each trial and one for the study; written without torch.

The files are a view of the journal, and a mark says how far they have followed it. A session goes
on behind the mark: what a crash has left behind it is written again, and of equal steps TensorBoard
shows the later. They are written anew where the study was changed, other trials are to be shown, or
the mark is not of this journal.
"""

import json
import shutil
import time
from contextlib import suppress
from typing import Any

from search.journal.events import Event
from search.journal.folder import StudyDir
from search.journal.journal import Prefix, read_journal, read_prefix
from search.journal.state import StudyState
from search.monitor.event_files import EventFiles
from search.monitor.study_run import StudyRun
from search.monitor.trial_runs import TrialRuns
from trainables.storage import replace_file

#: The mark is moved so often at most.
_MARK_SECONDS = 10.0

#: Of the mark, and of what is written: raise it where either changes.
_FORMAT = 1


class TensorBoardWriter:
    """Follows a study into its ``tensorboard`` folder."""

    def __init__(
        self, folder: StudyDir, state: StudyState, journal: Prefix, examples: int = 0
    ) -> None:
        """Write what the journal has and the files have not.

        Args:
            journal: as it is read and written; it grows.
            examples: how many an epoch trains on, for their rate; 0 where that is not known.
        """
        self._folder, self._journal, self._state = folder, journal, state
        self._files = EventFiles(folder.tensorboard)
        self._study = StudyRun(state, self._files)
        self._trials = TrialRuns(state, self._files, examples)
        self._marked = time.monotonic()
        behind = self._read_mark()
        if behind is None:
            behind = Prefix()
            if folder.tensorboard.exists():
                shutil.rmtree(folder.tensorboard)
            self._study.describe()
        self._followed = behind.lines
        for line in read_journal(folder.journal, behind):
            self._follow(line.event, line.time)

    def _kind(self) -> dict[str, Any]:
        """Return what decides on the files: of another kind they are written anew."""
        shown = self._state.present_spec().resources.tensorboard
        return {"format": _FORMAT, "revision": self._state.revision, "shown": shown}

    def _read_mark(self) -> Prefix | None:
        """Return how much of the journal is in the files; None if they have to be written anew."""
        try:
            mark: dict[str, Any] = json.loads(self._folder.board_mark.read_bytes())
            behind = read_prefix(self._folder.journal, mark["journal"])
            if behind is None or mark["kind"] != self._kind():
                return None
            self._study.restore(mark["study"])
            self._trials.restore(mark["top"])
            return behind
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def __call__(self, event: Event, state: StudyState) -> None:
        """Write what one event adds."""
        self._follow(event, time.time())
        if time.monotonic() - self._marked >= _MARK_SECONDS:
            self._move_mark()

    def _follow(self, event: Event, when: float) -> None:
        self._trials.follow(event, when)
        self._study.follow(event, when)
        self._followed += 1

    def _move_mark(self) -> None:
        """Say how far the files have followed the journal, unless that is within several lines."""
        if self._followed != self._journal.lines:
            return
        self._marked = time.monotonic()
        mark = {
            "kind": self._kind(),
            "journal": self._journal.said(),
            "study": self._study.dump(),
            "top": self._trials.dump(),
        }
        with suppress(OSError):
            replace_file(self._folder.board_mark, json.dumps(mark).encode(), mode=0o600)

    def close(self) -> None:
        """Close all files."""
        self._files.close_all()
        self._move_mark()
