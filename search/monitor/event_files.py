"""TensorBoard's event files: so many open at once, each record whole when it is written.

A record is written as TensorBoard's own ``RecordWriter`` does, whose checksum in plain Python takes
most of the time of an epoch's record.
"""

import os
import socket
import struct
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import google_crc32c
from tensorboard.compat.proto.event_pb2 import Event as TbEvent
from tensorboard.compat.proto.summary_pb2 import Summary

#: Files that are open at once: a search may run a thousand trials.
OPEN = 64


class _EventFile:
    """One event file; every record is in it when ``write`` returns."""

    def __init__(self, path: Path) -> None:
        """Open for appending; a new file begins with the version of its format."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        if self._file.tell() == 0:
            self.write(TbEvent(wall_time=time.time(), file_version="brain.Event:2"))

    def write(self, event: TbEvent) -> None:
        content = event.SerializeToString()
        length = struct.pack("<Q", len(content))
        self._file.write(length + _checksum(length) + content + _checksum(content))

    def close(self) -> None:
        self._file.close()


class EventFiles:
    """The runs in a folder, with a file a run and session: the session before may have left a torn
    record in its own."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: OrderedDict[str, _EventFile] = OrderedDict()
        self._name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"

    def write(self, run: str, event: TbEvent) -> None:
        """Write into a run; the file that was used longest ago makes room."""
        file = self._open.get(run)
        if file is None:
            if len(self._open) >= OPEN:
                self.close(next(iter(self._open)))
            file = self._open[run] = _EventFile(self._root / run / self._name)
        self._open.move_to_end(run)
        file.write(event)

    def write_first(self, run: str, event: TbEvent) -> None:
        """Write a record that is read before all others of a run, by whoever opens it from now on.

        TensorBoard reads a run's files by name, and of equal descriptions it keeps the first.
        """
        path = self._root / run / "events.out.tfevents.0000000000.ended"
        path.unlink(missing_ok=True)
        file = _EventFile(path)
        file.write(event)
        file.close()

    def close(self, run: str) -> None:
        """Close a run's file."""
        file = self._open.pop(run, None)
        if file is not None:
            with suppress(OSError):  # a full disk, of which the journal has told already
                file.close()

    def close_all(self) -> None:
        """Close what is open."""
        for run in list(self._open):
            self.close(run)


def _checksum(content: bytes) -> bytes:
    """Return a record's CRC-32C, masked as TFRecord wants it."""
    crc = google_crc32c.value(content)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def scalars(values: dict[str, float | None], step: int, when: float) -> TbEvent:
    """Return one point of each tag that has a value; ``when`` is in seconds since 1970."""
    summary = Summary()
    for tag, value in values.items():
        if value is not None:
            summary.value.add(tag=tag, simple_value=value)
    return TbEvent(wall_time=when, step=step, summary=summary)
