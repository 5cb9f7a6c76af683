"""TensorBoard event files, a run for each trial and one for the study; written without torch.

The files are a view of the journal, and a mark says how far they have followed it. A session goes
on behind the mark: what a crash has left behind it is written again, and of equal steps TensorBoard
shows the later. A study that is changed, or whose mark is gone, is written anew.
"""

import json
import shutil
import time
from contextlib import suppress
from typing import Any

from search.journal.events import Event
from search.journal.folder import StudyDir
from search.journal.journal import Prefix, read_journal
from search.journal.state import StudyState
from search.monitor.event_files import EventFiles
from search.monitor.study_run import StudyRun
from search.monitor.trial_runs import TrialRuns
from trainables.storage import replace_file

#: The mark is moved so often at most.
_MARK_SECONDS = 10.0


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
        self._folder, self._journal = folder, journal
        self._kind = {
            "revision": state.revision,
            "shown": state.present_spec().resources.tensorboard,
        }
        self._files = EventFiles()
        self._study = StudyRun(folder, state, self._files)
        self._trials = TrialRuns(folder, state, self._files, examples)
        self._marked = time.monotonic()
        mark = self._read_mark()
        if mark is None:
            if folder.tensorboard.exists():
                shutil.rmtree(folder.tensorboard)
            self._study.describe(state)
        else:
            self._study.restore(mark["study"])
            self._trials.restore(mark["top"])
        behind = Prefix(mark["lines"], mark["size"]) if mark else Prefix()
        for line in read_journal(folder.journal, behind):
            self._follow(line.event, line.time)

    def _read_mark(self) -> dict[str, Any] | None:
        """Return how much is in the files; None if they have to be written anew."""
        try:
            mark: dict[str, Any] = json.loads(self._folder.board_mark.read_bytes())
            known = mark["kind"] == self._kind and mark["size"] <= self._journal.size
            return mark if known else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def __call__(self, event: Event, state: StudyState) -> None:
        """Write what one event adds."""
        self._follow(event, time.time())
        if time.monotonic() - self._marked >= _MARK_SECONDS:
            self._move_mark()

    def _follow(self, event: Event, when: float) -> None:
        self._trials.follow(event, when)
        self._study.follow(event, when)

    def _move_mark(self) -> None:
        """Say how far the files have followed the journal."""
        self._marked = time.monotonic()
        mark = {
            "kind": self._kind,
            "lines": self._journal.lines,
            "size": self._journal.size,
            "study": self._study.dump(),
            "top": self._trials.dump(),
        }
        with suppress(OSError):
            replace_file(self._folder.board_mark, json.dumps(mark).encode(), mode=0o600)

    def close(self) -> None:
        """Close all files."""
        self._files.close_all()
        self._move_mark()
