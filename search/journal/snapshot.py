"""A reading of the journal, kept beside it so that a resume need not read a million lines.

The journal is the one truth. A snapshot says which beginning of it it stands for, by length and
SHA-256, and by which code it was read. One that is missing, damaged, older or of other code costs
time and nothing else. Trials that have ended do not change: each is a line that is written once.
The rest of the state is one small file, exchanged every now and then.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from pydantic_core import from_json, to_json

from search.journal.epochs import Epochs
from search.journal.events import (
    AttemptFailed,
    Event,
    OutlookTaken,
    SessionEnded,
    SessionStarted,
    SpecChanged,
    StudyCreated,
    TrialEnded,
    WarmStarted,
)
from search.journal.folder import StudyDir
from search.journal.journal import Prefix, read_prefix
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.spec.study import StudySpec

#: A snapshot is taken so often at most, and so much more seldom as its writing takes.
EVERY_SECONDS = 2.5
_SHARE_OF_TIME = 0.005

#: What decides on a state: a snapshot of other code is passed over.
_CODE = (
    *(f"search/journal/{name}.py" for name in ("epochs", "events", "layout", "rungs", "snapshot")),
    *("search/journal/state.py", "search/journal/trial.py", "trainables/attempts/messages.py"),
    *("search/spec/objective.py", "search/spec/space.py", "search/spec/study.py"),
)

_BUFFER = 1 << 20

#: The files, in the study's snapshot folder.
_HEAD, _ENDED = "state.json", "ended.jsonl"


@dataclass(frozen=True)
class Kept:
    """The ended trials that a snapshot's file holds, a line each.

    Attributes:
        revision: how often the study had been changed when they were valued.
    """

    lines: Prefix
    revision: int


@dataclass(frozen=True)
class Snapshot:
    """A state, and the beginning of the journal that it stands for."""

    state: StudyState
    prefix: Prefix
    kept: Kept


def read_snapshot(folder: StudyDir) -> Snapshot | None:
    """Read a study's snapshot; None if there is none that can be trusted."""
    try:
        said, content = (folder.snapshot / _HEAD).read_text(encoding="utf-8").split("\n")
        head = json.loads(content)
        if said != _digest(content.encode()) or head["code"] != code_digest():
            return None
        # Beside the reading of the snapshot, for a journal of 400 MB takes a quarter of a second.
        with ThreadPoolExecutor(1) as beside:
            verifying = beside.submit(read_prefix, folder.journal, head["journal"])
            ended, lines = _read_ended(folder.snapshot / _ENDED, head["ended"]["lines"])
            prefix = verifying.result()
        if prefix is None or lines.said() != head["ended"]:
            return None
        state = _state(folder, head, ended)
        return Snapshot(state, prefix, Kept(lines, state.revision))
    except (OSError, ValueError, LookupError, TypeError):  # torn, or not ours
        return None


def _read_ended(path: Path, count: int) -> tuple[list[dict[str, Any]], Prefix]:
    """Read so many lines, and what their bytes are: those that are verified are those used."""
    found, prefix = [], Prefix()
    # A line of a hundred epochs is longer than the buffer that Python would take.
    with path.open("rb", buffering=_BUFFER) as file:
        for _ in range(count):
            raw = file.readline()
            prefix.add(raw)
            found.append(from_json(raw, cache_strings="keys"))
    return found, prefix


def _state(folder: StudyDir, head: dict[str, Any], ended: Sequence[dict[str, Any]]) -> StudyState:
    created = StudyCreated.model_validate(head["created"])
    name = folder.name
    created = created.model_copy(update={"name": name, "spec": created.spec | {"name": name}})
    state = StudyState(created)
    specs = [state.spec]
    for dumped in head["changes"]:
        change = SpecChanged.model_validate(dumped)
        state.apply(change.model_copy(update={"spec": change.spec | {"name": name}}))
        specs.append(state.spec)
    done = [_trial(dumped, specs) for dumped in ended]
    live = [_trial(dumped, specs) for dumped in head["live"]]
    state.take_back(sorted(done + live, key=lambda t: t.number), [t.number for t in done])
    if head["session"]:
        state.session = SessionStarted.model_validate(head["session"])
    if head["session_end"]:
        state.session_end = SessionEnded.model_validate(head["session_end"])
    state.former = [WarmStarted.model_validate(dumped) for dumped in head["former"]]
    state.concluded = head["concluded"]
    if head["outlook"]:
        state.outlook = OutlookTaken.model_validate(head["outlook"])
    state.total, state.applied = head["total"], head["journal"]["lines"]
    return state


def _trial(dumped: dict[str, Any], specs: list[StudySpec]) -> Trial:
    number, revision = dumped["number"], dumped["revision"]
    due = dumped["due"]
    trial = Trial(
        number=number,
        spec=specs[revision],
        revision=revision,
        data=dumped["data"],
        params=dumped["params"],
        origin=dumped["origin"],
        attributes=dumped["attributes"],
        repeats=dumped["repeats"],
        audited=dumped["audited"],
        state=dumped["state"],
        attempts=dumped["attempts"],
        failures=[AttemptFailed.model_validate(failure) for failure in dumped["failures"]],
        due=(due[0], due[1]) if due else None,
        reason=dumped["reason"],
    )
    trial.epochs = Epochs.load(number, dumped["epochs"])
    return trial


def _dumped(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "revision": trial.revision,
        "data": trial.data,
        "params": trial.params,
        "origin": trial.origin,
        "attributes": trial.attributes,
        "repeats": trial.repeats,
        "audited": trial.audited,
        "state": trial.state,
        "attempts": trial.attempts,
        "failures": [failure.model_dump(mode="json") for failure in trial.failures],
        "due": trial.due,
        "reason": trial.reason,
        "epochs": trial.epochs.dump(),
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Return a digest of the code that folds and that dumps, as it was when it was first asked."""
    digest = hashlib.sha256(sys.byteorder.encode())
    for name in _CODE:
        digest.update((Path(__file__).parents[2] / name).read_bytes())
    return digest.hexdigest()


class SnapshotWriter:
    """Follows a study and keeps its snapshot up to date, for the driver that appends ``journal``.

    A full disk ends the snapshots and not the search.
    """

    def __init__(
        self, folder: StudyDir, state: StudyState, journal: Prefix, kept: Kept | None
    ) -> None:
        """Go on behind the ended trials that are ``kept``, unless the study was changed since."""
        self._folder, self._journal = folder.snapshot, journal
        self._code, self._due = code_digest(), 0.0
        self._ended = Prefix()
        self._file: BinaryIO | None = None
        with self._unless_full():
            self._folder.mkdir(mode=0o700, exist_ok=True)
            usable = kept is not None and kept.revision == state.revision
            self._go_on(state, kept.lines if kept and usable else Prefix())

    def _go_on(self, state: StudyState, ended: Prefix) -> None:
        """Keep the ended trials that are in the file, and add those that are not."""
        path, self._ended = self._folder / _ENDED, ended
        if self._file is not None:
            self._file.close()
        if not ended.size:  # whoever reads the old file goes on reading it
            path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "r+b")
        self._file.truncate(ended.size)
        self._file.seek(ended.size)
        for number in state.trials.ended_order[ended.lines :]:
            self._append(state.trials[number])

    def __call__(self, event: Event, state: StudyState) -> None:
        """Keep a trial that has ended; take a snapshot when it is time."""
        if self._file is None:
            return
        with self._unless_full():
            if isinstance(event, SpecChanged):  # what ended trials are worth is another value now
                self._go_on(state, Prefix())
                self._due = 0.0
            elif isinstance(event, TrialEnded) and self._ended.lines < state.trials.ended:
                self._append(state.trials[event.trial])
            if time.monotonic() >= self._due:
                self.take(state)

    @contextmanager
    def _unless_full(self) -> Iterator[None]:
        """Give up where the disk takes no more."""
        try:
            yield
        except OSError:
            self._give_up()

    def take(self, state: StudyState) -> None:
        """Take a snapshot of the state, if it is what the journal holds.

        It is not where events were applied that could not be written, nor amid several ends.
        """
        began = time.monotonic()
        whole = state.applied == self._journal.lines and self._ended.lines == state.trials.ended
        if self._file is None or not whole:
            return
        self._file.flush()
        head = {
            "code": self._code,
            "journal": self._journal.said(),
            "ended": self._ended.said(),
            "created": state.created.model_dump(mode="json"),
            "changes": [change.model_dump(mode="json") for change in state.changes],
            "session": state.session.model_dump(mode="json") if state.session else None,
            "session_end": state.session_end.model_dump(mode="json") if state.session_end else None,
            "total": state.total,
            "former": [former.model_dump(mode="json") for former in state.former],
            "concluded": state.concluded,
            "outlook": state.outlook.model_dump(mode="json") if state.outlook else None,
            "live": [_dumped(trial) for trial in state.trials.all_open()],
        }
        content = to_json(head, inf_nan_mode="null")
        beside = self._folder / f"{_HEAD}.writing"
        # Without waiting for the disk, as its digest tells a torn one.
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(_digest(content).encode() + b"\n" + content)
        beside.replace(self._folder / _HEAD)
        took = time.monotonic() - began
        self._due = began + max(EVERY_SECONDS, took / _SHARE_OF_TIME)

    def _append(self, trial: Trial) -> None:
        assert self._file is not None
        raw = to_json(_dumped(trial), inf_nan_mode="null") + b"\n"  # as in the journal
        self._file.write(raw)
        self._ended.add(raw)

    def _give_up(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # it writes what it holds once more
                file.close()

    def close(self, state: StudyState) -> None:
        """Take the last snapshot."""
        with self._unless_full():
            self.take(state)
        self._give_up()
