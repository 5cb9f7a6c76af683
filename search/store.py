"""Every file name of a study's folder, its creation and its lock."""

import fcntl
import json
import os
import re
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.errors import SpecError, StudyExists, StudyLocked, StudyNotFound

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_name(name: str) -> str:
    """A name that is safe as one folder's name.

    Raises:
        SpecError: empty, too long, or with anything but letters, digits, ``.``, ``_`` and ``-``.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise SpecError(
            f"study name {name!r}: use up to 100 letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit, without '..'"
        )
    return name


@dataclass(frozen=True)
class Owner:
    """The driver that holds, or last held, a study."""

    pid: int
    host: str


@dataclass(frozen=True)
class StudyDir:
    """``results/NAME``: where each thing of a study is."""

    root: Path

    @property
    def name(self) -> str:
        return self.root.name

    @property
    def spec(self) -> Path:
        return self.root / "study.toml"

    @property
    def journal(self) -> Path:
        return self.root / "journal.jsonl"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        return self.root / "tensorboard"

    @property
    def report(self) -> Path:
        return self.root / "report.md"

    def checkpoints_of(self, number: int) -> Path:
        """The folder of a trial's checkpoints."""
        return self.checkpoints / f"trial-{number:04d}"

    def checkpoint_prefix(self, number: int, attempt: int) -> str:
        """Where an attempt's checkpoints begin, relative to the study's folder."""
        folder = self.checkpoints_of(number).relative_to(self.root)
        return f"{folder}/attempt-{attempt:02d}-"

    def trial_events(self, number: int) -> Path:
        """The folder of a trial's TensorBoard events."""
        return self.tensorboard / f"trial-{number:04d}"

    def sees(self, path: str) -> bool:
        """Whether a file another machine has just written is here; network folders may lag."""
        for _ in range(10):
            if (self.root / path).exists():
                return True
            time.sleep(0.5)
        return False

    def exists(self) -> bool:
        """Whether a study was begun here: its journal has a whole first line."""
        try:
            with self.journal.open("rb") as file:
                return file.readline().endswith(b"\n")
        except OSError:
            return False

    @contextmanager
    def owned(self, take_over: bool = False) -> Iterator[None]:
        """Holds the study's lock; the kernel lets go of it whatever becomes of this process.

        A driver of another host that never signed off may be alive behind a file system that
        carries no locks: only ``take_over`` passes it by.

        Raises:
            StudyLocked: another driver holds it, or may.
        """
        descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._lock(descriptor)
            last = self._written_owner()
            if last is not None and last.host != socket.gethostname() and not take_over:
                raise StudyLocked(
                    f"study {self.name!r} was last run by process {last.pid} on {last.host}, which "
                    "has not signed off; if it is dead, resume with --take-over"
                )
            os.ftruncate(descriptor, 0)
            content = json.dumps({"pid": os.getpid(), "host": socket.gethostname()})
            os.pwrite(descriptor, content.encode(), 0)
            try:
                yield
            finally:
                os.ftruncate(descriptor, 0)
                self._remove_if_unbegun()
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        """Takes the lock; a reader that looks at it for a moment is waited for."""
        for patience in (0.2, 0.3, 0.5, 0.0):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(patience)
        owner = self._written_owner()
        by = f" by process {owner.pid} on {owner.host}" if owner else ""
        raise StudyLocked(f"study {self.name!r} is being run{by}; wait for it, or stop it first")

    def _remove_if_unbegun(self) -> None:
        """Leaves nothing behind of a study that never began; called by the lock's holder."""
        if not self.exists() and {path.name for path in self.root.iterdir()} <= {
            path.name for path in (self.spec, self.lock, self.journal)
        }:
            for path in (self.spec, self.journal, self.lock):
                path.unlink(missing_ok=True)
            self.root.rmdir()

    def owner(self) -> Owner | None:
        """The driver at work now, or None."""
        try:
            descriptor = os.open(self.lock, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._written_owner()
        finally:
            os.close(descriptor)
        return None

    def _written_owner(self) -> Owner | None:
        try:
            content = json.loads(self.lock.read_text())
            return Owner(int(content["pid"]), str(content["host"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def create_study_dir(results: Path, name: str) -> StudyDir:
    """Makes the folder of a new study.

    Raises:
        StudyExists: a study of that name was begun, or something else lies there.
        SpecError: the name is unsafe, or the folder cannot be made.
    """
    study = StudyDir(results.absolute() / check_name(name))
    if study.root.is_dir() and not study.exists() and study.owner() is None:
        strange = sorted(path.name for path in study.root.iterdir() if path != study.lock)
        if strange:
            raise StudyExists(
                f"{study.root} holds {strange[0]!r} but no study: choose another --name, or clear "
                "the folder"
            )
    if study.exists() or study.root.is_symlink():
        raise StudyExists(
            f"study {name!r} exists in {results}: go on with 'seqtune resume {name}', "
            "or choose another --name"
        )
    try:
        study.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=study.root):
            pass
    except OSError as error:
        raise SpecError(
            f"cannot write to the results folder {results}: {error.strerror}; choose another "
            "with --results-dir"
        ) from error
    return study


def open_study_dir(results: Path, name: str) -> StudyDir:
    """The folder of a study that was begun.

    Raises:
        StudyNotFound: there is none of that name.
    """
    study = StudyDir(results.absolute() / check_name(name))
    if study.root.is_symlink() or not study.exists():
        known = [found.name for found in list_studies(results)]
        there = f"there are: {', '.join(known)}" if known else "there are none yet"
        raise StudyNotFound(f"no study {name!r} in {results}; {there}")
    return study


def list_studies(results: Path) -> list[StudyDir]:
    """All studies under a results folder, by name."""
    if not results.is_dir():
        return []
    found = [StudyDir(path.absolute()) for path in sorted(results.iterdir()) if path.is_dir()]
    return [study for study in found if study.exists()]


def as_json(content: Any) -> str:
    """JSON for people and programs alike."""
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)
