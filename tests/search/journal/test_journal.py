"""The journal under torn, flipped and missing bytes, and a full disk."""

import errno
import os
import zlib

import pytest

from search.errors import JournalDamaged, StudyFailed
from search.journal.events import SessionEnded, TrialCreated
from search.journal.journal import Journal, read_events, read_journal

EVENTS = [TrialCreated(trial=n, params={"x": n / 3, "é": "ü\n"}, origin="tpe") for n in range(4)]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append(*EVENTS[:2])
    journal.append(*EVENTS[2:])
    journal.close()
    return path


def test_round_trip_and_private_file(path):
    assert read_events(path) == EVENTS
    assert [line.seq for line in read_journal(path)] == [0, 1, 2, 3]
    assert path.stat().st_mode & 0o777 == 0o600


def test_cut_at_every_byte_of_the_last_line(path):
    content = path.read_bytes()
    last = content.rfind(b"\n", 0, -1) + 1
    for cut in range(last, len(content)):
        path.write_bytes(content[:cut])
        assert read_events(path) == EVENTS[:3]
        assert path.read_bytes() == content[:cut], "a reader repaired the file"
        journal = Journal(path)
        journal.append(EVENTS[3])
        journal.close()
        assert read_events(path) == EVENTS
        assert path.read_bytes()[:last] == content[:last]


def test_flipped_byte_is_refused_by_line(path):
    content = path.read_bytes()
    for position in range(0, len(content) - 1, 7):
        flipped = bytearray(content)
        flipped[position] ^= 0x10
        path.write_bytes(bytes(flipped))
        with pytest.raises(JournalDamaged, match=r"line \d"):
            read_events(path)
        with pytest.raises(JournalDamaged):
            Journal(path)
        assert path.read_bytes() == bytes(flipped)


def test_missing_line_is_noticed(path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:1] + lines[2:]))
    with pytest.raises(JournalDamaged, match="missing"):
        read_events(path)


def test_newer_format_is_refused_by_name(path):
    body = b'{"seq":0,"time":1.0,"event":"study","format":99'
    path.write_bytes(body + b',"crc":"%08x"}\n' % zlib.crc32(body))
    with pytest.raises(JournalDamaged, match="format 99"):
        read_events(path)


def test_full_disk_poisons_the_writer_and_keeps_what_was(path, monkeypatch):
    journal = Journal(path)

    def full(descriptor, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StudyFailed, match="No space left"):
        journal.append(SessionEnded(reason="x"))
    monkeypatch.undo()
    with pytest.raises(StudyFailed, match="No space left"):
        journal.append(SessionEnded(reason="y"))
    journal.close()
    assert read_events(path) == EVENTS


def test_nan_is_written_as_null(path):
    journal = Journal(path)
    journal.append(TrialCreated(trial=9, params={"x": float("nan")}, origin="tpe"))
    journal.close()
    assert b"NaN" not in path.read_bytes()
    assert read_events(path)[-1].params == {"x": None}
