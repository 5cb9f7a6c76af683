"""The append-only journal: one checksummed line an event, on the disk before anyone acts on it.

A line is a JSON object with three keys of the journal's own: ``seq`` counts lines from 0, ``time``
is the wall clock in seconds (for people only) and ``crc`` is the CRC-32 of the line up to it.
Only a driver that holds the study's lock appends; readers never change the file.
"""

import hashlib
import json
import os
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from search.errors import JournalDamaged, StudyFailed
from search.journal.events import EVENT, FORMAT, Event
from search.journal.lock import Lock, is_same_file
from trainables.storage import replace_file

_CRC = b',"crc":"'

#: So much is hashed at a time: in smaller pieces two threads that read wait for each other.
_READ_BYTES = 16 << 20

_TAKEN = "another driver has taken the study over"


@dataclass(frozen=True)
class Line:
    """One event, and when it was written (seconds since 1970, by that machine's clock)."""

    seq: int
    time: float
    event: Event


@dataclass
class Prefix:
    """The beginning of a file: its lines, its size in bytes, and their SHA-256 so far."""

    lines: int = 0
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def said(self) -> dict[str, Any]:
        """Return what it is, as plain JSON: see ``read_prefix``."""
        return {"lines": self.lines, "size": self.size, "sha256": self.digest.hexdigest()}

    def begins(self, path: Path) -> bool:
        """Whether a file begins with these bytes.

        Raises:
            OSError: it cannot be read.
        """
        return read_prefix(path, self.said()) is not None

    def add(self, raw: bytes) -> None:
        """Take one more line in."""
        self.lines += 1
        self.size += len(raw)
        self.digest.update(raw)


def read_prefix(path: Path, said: Mapping[str, Any]) -> Prefix | None:
    """Return the beginning of a file, if it is the one that ``Prefix.said`` has described.

    Raises:
        OSError: it cannot be read.
    """
    digest, left = hashlib.sha256(), int(said["size"])
    with path.open("rb") as file:
        while left and (block := file.read(min(left, _READ_BYTES))):
            digest.update(block)
            left -= len(block)
    prefix = Prefix(said["lines"], said["size"], digest)
    return prefix if not left and prefix.said() == dict(said) else None


def encode(line: Line) -> bytes:
    """Return the bytes of one line, newline included; what is as by default is left out."""
    begun = {"seq": line.seq, "time": round(line.time, 3), "event": line.event.event}
    head = json.dumps(begun, separators=(",", ":"))[:-1]
    # By pydantic itself: half the time of a dictionary and json.dumps.
    rest = line.event.model_dump_json(exclude_defaults=True)[1:-1]
    body = f"{head},{rest}".encode() if rest else head.encode()
    return body + _CRC + f'{zlib.crc32(body):08x}"}}\n'.encode()


def decode(raw: bytes) -> Line:
    """Return the line behind some bytes.

    Raises:
        ValueError: not a whole line, a wrong checksum, or an event of no known kind.
    """
    body, mark, rest = raw.rpartition(_CRC)
    if not mark or rest != f'{zlib.crc32(body):08x}"}}\n'.encode():
        raise ValueError("its checksum differs")
    content: dict[str, Any] = from_json(body + b"}")  # a third of what json.loads takes
    if content.get("event") == "study" and content.get("format") != FORMAT:
        raise _OtherFormat(content.get("format"))
    seq, when = content.pop("seq"), content.pop("time")
    return Line(int(seq), float(when), EVENT.validate_python(content))


class _OtherFormat(ValueError):
    """The journal was written by a version of seqtune that has another format."""


def read_journal(path: Path, prefix: Prefix | None = None) -> Iterator[Line]:
    """Yield all whole lines in order; pass over a torn last line, and leave it where it is.

    A ``prefix`` that was read before is passed over, and grows with each line that is read.

    Raises:
        JournalDamaged: a line other than the last is damaged, or lines are missing.
        OSError: the file cannot be read.
    """
    read = Prefix() if prefix is None else prefix
    with path.open("rb") as file:
        file.seek(read.size)
        for raw in file:
            if not raw.endswith(b"\n"):
                return
            line = _decoded(raw, path, read.lines)
            read.add(raw)
            yield line


def _decoded(raw: bytes, path: Path, index: int) -> Line:
    try:
        line = decode(raw)
    except _OtherFormat as error:
        raise JournalDamaged(
            f"{path} has format {error}; this version of seqtune reads {FORMAT}. Go on with "
            "the version that wrote it, or begin the study anew"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        what = "it is no known event" if isinstance(error, ValidationError) else str(error)
        raise JournalDamaged(
            f"{path} line {index + 1} is damaged ({what}). Nothing was changed. "
            "Restore the file from a backup; the lines before it are good"
        ) from error
    if line.seq != index:
        raise JournalDamaged(f"{path} line {index + 1} is number {line.seq}: lines are missing")
    return line


def read_events(path: Path) -> list[Event]:
    """Return the events of all lines; raise as ``read_journal`` does."""
    return [line.event for line in read_journal(path)]


class Journal:
    """The one writer. After a failed append it accepts nothing more.

    A torn last line, left by a crash, is cut off when the journal is opened.
    """

    def __init__(self, path: Path, lock: Lock | None = None, prefix: Prefix | None = None) -> None:
        """Open for appending; the caller holds the study's ``lock``.

        Args:
            prefix: all that is whole of the journal, if it was read under the lock. It grows with
                each append.

        Raises:
            JournalDamaged: see ``read_journal``; or there is less than was read.
        """
        self._path, self._lock = path, lock
        self.prefix = Prefix() if prefix is None else prefix
        if prefix is None and path.exists():
            for _ in read_journal(path, self.prefix):
                pass
        if prefix is not None and path.stat().st_size < prefix.size:
            raise JournalDamaged(f"{path} is shorter than it was a moment ago: nothing was changed")
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._descriptor).st_size != self.prefix.size:
            os.ftruncate(self._descriptor, self.prefix.size)
        os.lseek(self._descriptor, self.prefix.size, os.SEEK_SET)
        self._broken: str | None = None

    def append(self, *events: Event) -> None:
        """Write the events and wait until the disk has them.

        Raises:
            StudyFailed: the disk is full or gone, or another driver has taken the study over, now
                or at an earlier append.
        """
        if self._broken is None and not (self._lock is None or self._lock.is_held()):
            self._broken = _TAKEN
        if self._broken is not None:
            raise StudyFailed(f"cannot write {self._path}: {self._broken}")
        now = time.time()
        count = self.prefix.lines
        lines = [encode(Line(count + i, now, event)) for i, event in enumerate(events)]
        content = b"".join(lines)
        try:
            while content:
                content = content[os.write(self._descriptor, content) :]
            os.fsync(self._descriptor)
            # Whoever takes the study over brings over what is written until the exchange of the
            # journal (see ``supersede``): only what was written later is nobody's.
            if not is_same_file(self._descriptor, self._path):
                raise OSError(_TAKEN)
        except OSError as error:
            self._broken = error.strerror or str(error)
            raise StudyFailed(f"cannot write {self._path}: {self._broken}") from error
        for line in lines:
            self.prefix.add(line)

    def close(self) -> None:
        """Release the file."""
        os.close(self._descriptor)


def supersede(path: Path) -> None:
    """Put a new file with the same lines in a journal's place, if there is one.

    A driver that slept while the study was taken from it then writes to a file that nobody reads,
    and finds that out before it acts on what it wrote. What it wrote after the copy and before the
    exchange is brought over.
    """
    try:
        old = path.open("rb")
    except FileNotFoundError:
        return
    with old:
        lines = old.read()
        replace_file(path, lines, mode=0o600)
        late = old.read()
    if late:
        replace_file(path, lines + late, mode=0o600)
