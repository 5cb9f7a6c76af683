"""Who holds a study: on this machine, on another, frozen, restarted, and without kernel locks."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from search.errors import StudyFailed, StudyLocked
from search.journal import heartbeat, lock
from search.journal.events import SessionEnded
from search.journal.folder import StudyDir, create_study_dir
from search.journal.holder import Driver, read_driver
from search.journal.journal import Journal, supersede
from trainables.storage import replace_file

_LEFT = SessionEnded(reason="finished")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(lock, "SETTLE_SECONDS", 0.05)
    monkeypatch.setattr(lock, "GONE_SECONDS", 1.2)
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.5)
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(heartbeat, "LOOK_SECONDS", 0.05)


@pytest.fixture
def study(tmp_path) -> StudyDir:
    found = create_study_dir(tmp_path, "a")
    journal = Journal(found.journal)
    journal.append(_LEFT)
    journal.close()
    return found


def write_foreign(study: StudyDir, beat: int = 1, **more: object) -> None:
    content = {"pid": 7, "host": "elsewhere", "machine": "m", "started": 1.0} | more
    text = json.dumps(content | {"beat": f"{beat:012d}"})
    descriptor = os.open(study.lock, os.O_WRONLY | os.O_CREAT)
    os.pwrite(descriptor, text.encode(), 0)  # in place, as a driver does
    os.close(descriptor)


class Elsewhere:
    """A driver of another machine, whose heart beats while the block lasts."""

    def __init__(self, study: StudyDir) -> None:
        self.study, self.over = study, threading.Event()
        write_foreign(study)
        self.thread = threading.Thread(target=self.beat)

    def beat(self) -> None:
        count = 1
        while not self.over.wait(0.1):
            count += 1
            write_foreign(self.study, count)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.thread.join()


@pytest.mark.lengthy
def test_a_living_driver_elsewhere_is_not_disturbed(study):
    with Elsewhere(study):
        assert study.running_driver().host == "elsewhere"
        with pytest.raises(StudyLocked, match="process 7 on elsewhere"), study.locked():
            pass
        assert study.running_driver().host == "elsewhere"


@pytest.mark.lengthy
def test_a_dead_driver_elsewhere_loses_the_study_unasked(study):
    write_foreign(study)
    assert study.running_driver() is None
    before = study.journal.stat().st_ino
    with study.locked() as held:
        assert held.taken_over and study.running_driver().pid == os.getpid()
        assert study.journal.stat().st_ino != before, "the old driver could write to it"
    assert study.lock.read_text() == ""


def test_told_that_it_is_dead_nobody_waits(study, monkeypatch):
    monkeypatch.setattr(lock, "GONE_SECONDS", 60.0)
    write_foreign(study)
    began = time.monotonic()
    with study.locked(take_over=True):
        assert time.monotonic() - began < 5


def test_a_restarted_job_takes_its_study_back_at_once(study, monkeypatch):
    monkeypatch.setattr(lock, "GONE_SECONDS", 60.0)
    write_foreign(study, job="12", restarts=0)
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    began = time.monotonic()
    with study.locked():
        assert time.monotonic() - began < 5


def test_of_another_job_nothing_is_known(monkeypatch):
    this = Driver(1, "b", job="12", restarts=1)
    assert Driver(1, "a", job="12", restarts=0).was_replaced_by(this)
    assert not Driver(1, "a", job="12", restarts=1).was_replaced_by(this)
    assert not Driver(1, "a", job="11", restarts=0).was_replaced_by(this)
    assert not Driver(1, "a").was_replaced_by(Driver(1, "b", restarts=1))


def test_whoever_lost_the_study_writes_nothing_more(study):
    sleeper = Journal(study.journal)
    supersede(study.journal)
    before = study.journal.read_bytes()
    for _ in range(2):
        with pytest.raises(StudyFailed, match="another driver has taken the study over"):
            sleeper.append(_LEFT)
    assert study.journal.read_bytes() == before
    successor = Journal(study.journal)
    successor.append(_LEFT)
    assert study.journal.read_bytes().startswith(before)


def test_a_line_written_while_the_study_is_taken_over_is_kept(study, monkeypatch):
    """The sleeper has acted on it: its file still lay in place when it looked."""
    from search.journal import journal

    sleeper, replace = Journal(study.journal), replace_file

    def late(path, content, mode):
        if sleeper is not None and not late_lines:
            sleeper.append(_LEFT)
            late_lines.append(path.read_bytes())
        replace(path, content, mode)

    late_lines: list[bytes] = []
    monkeypatch.setattr(journal, "replace_file", late)
    supersede(study.journal)
    assert study.journal.read_bytes() == late_lines[0] and late_lines[0].count(b"\n") == 2


_HOLDER = """
import sys, time
from pathlib import Path
from search.journal.events import SessionEnded
from search.journal.folder import StudyDir
from search.journal.journal import Journal

class Listener:
    def taken_over(self, by):
        print("taken by", by.pid, flush=True)
    def asked_to_stop(self):
        print("stop", flush=True)

study = StudyDir(Path(sys.argv[1]))
with study.locked(listener=Listener()):
    journal = Journal(study.journal)
    print("held", flush=True)
    sys.stdin.readline()
    journal.append(SessionEnded(reason="finished"))
"""


@pytest.fixture
def holder(study):
    command = [sys.executable, "-c", _HOLDER, str(study.root)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.lengthy
def test_a_frozen_driver_awakes_without_its_study(study, holder):
    holder.send_signal(signal.SIGSTOP)
    with pytest.raises(StudyLocked, match="--take-over"), study.locked():
        pass
    with study.locked(take_over=True):
        journal = Journal(study.journal)
        journal.append(_LEFT)
        before = study.journal.read_bytes()
        holder.send_signal(signal.SIGCONT)
        assert holder.stdout.readline() == f"taken by {os.getpid()}\n"
        holder.stdin.write("go on\n")
        _, error = holder.communicate(timeout=20)
        assert "StudyFailed" in error and "another driver has taken the study over" in error
        assert study.journal.read_bytes() == before
        assert study.running_driver().pid == os.getpid(), "it has signed off for another"
        journal.close()


@pytest.mark.lengthy
def test_a_stop_file_is_seen(study, holder):
    began = time.monotonic()
    study.stop.touch()
    assert holder.stdout.readline() == "stop\n"
    assert time.monotonic() - began < 2
    holder.stdin.write("leave\n")
    assert holder.wait(timeout=20) == 0
    assert not study.stop.exists()


def test_an_old_stop_file_stops_nobody(study):
    study.stop.touch()
    with study.locked():
        assert not study.stop.exists()


def test_two_that_take_over_at_once(study, monkeypatch):
    write_foreign(study)

    def overtaken(seconds: float) -> None:
        other = study.root / "other"
        other.write_text('{"pid": 8, "host": "third", "beat": "1"}')
        os.replace(other, study.lock)

    monkeypatch.setattr(time, "sleep", overtaken)
    with pytest.raises(StudyLocked, match="same moment"), study.locked(take_over=True):
        pass
    assert read_driver(study.lock).host == "third"


def without_locks(monkeypatch, error: int) -> None:
    def absent(descriptor: int, kind: int) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(fcntl, "flock", absent)


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_file_systems_without_locks_are_known(study, monkeypatch, error):
    without_locks(monkeypatch, error)
    with study.locked() as held:
        assert not held.in_kernel and study.running_driver().pid == os.getpid()


@pytest.mark.lengthy
def test_without_kernel_locks_the_process_and_its_heart_speak(study, monkeypatch):
    without_locks(monkeypatch, errno.ENOLCK)
    assert study.running_driver() is None
    with study.locked() as held:
        assert not held.in_kernel
        assert study.running_driver().pid == os.getpid()
        with pytest.raises(StudyLocked, match=f"process {os.getpid()} on"), study.locked():
            pass
    assert study.running_driver() is None
    with Elsewhere(study):
        assert study.running_driver().host == "elsewhere"
        with pytest.raises(StudyLocked, match="elsewhere"), study.locked():
            pass
    with study.locked() as held:
        assert held.taken_over


def test_any_other_error_of_a_lock_is_told(study, monkeypatch):
    def broken(descriptor: int, kind: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(OSError, match="Input/output"), study.locked():
        pass
