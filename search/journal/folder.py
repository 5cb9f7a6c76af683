"""Every file name of a study's folder, its creation and its lock."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from search.errors import SpecError, StudyExists, StudyNotFound
from search.journal.heartbeat import Listener, beating
from search.journal.holder import Driver
from search.journal.journal import supersede
from search.journal.layout import CHECKPOINTS, checkpoint_folder, checkpoint_prefix
from search.journal.lock import Lock, find_driver, hold
from search.program import resume_command
from search.spec.names import check_name

#: A file that was begun so many seconds ago, and not finished, is nobody's any more.
_TORN_AFTER = 600.0


@dataclass(frozen=True)
class StudyDir:
    """``results/NAME``: the one place that knows the files of a study."""

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
    def snapshot(self) -> Path:
        """The folder of a reading of the journal, which saves reading it again."""
        return self.root / "snapshot"

    @property
    def checkpoints(self) -> Path:
        return self.root / CHECKPOINTS

    @property
    def tensorboard(self) -> Path:
        return self.root / "tensorboard"

    @property
    def board_mark(self) -> Path:
        """How far TensorBoard's files have followed the journal."""
        return self.tensorboard / "followed.json"

    @property
    def report(self) -> Path:
        return self.root / "report.md"

    @property
    def final(self) -> Path:
        """The folder of what was trained to finalise the study."""
        return self.root / "final"

    @property
    def final_options(self) -> Path:
        """The options by which a finalize goes on, as a shell takes them."""
        return self.final / "options"

    @property
    def final_result(self) -> Path:
        return self.root / "final.json"

    @property
    def openings(self) -> Path:
        """When the test part was opened. It outlives what was trained for it."""
        return self.root / "openings.jsonl"

    @property
    def model(self) -> Path:
        """The folder of the model that was handed over."""
        return self.root / "model"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def driver_log(self) -> Path:
        return self.logs / "driver.log"

    @property
    def ray_log(self) -> Path:
        return self.logs / "ray.log"

    def trial_log(self, number: int) -> str:
        """Return where trouble of a trial is logged, relative to the study's folder."""
        return f"{self.logs.name}/trial-{number:04d}.log"

    def checkpoints_of(self, number: int) -> Path:
        """Return the folder of a trial's checkpoints."""
        return self.root / checkpoint_folder(number)

    def unreported(self, number: int, attempt: int) -> str:
        """Return where an attempt keeps unreported epochs, relative to the study's folder."""
        return f"{checkpoint_prefix(number, attempt)}unreported.jsonl"

    def wait_for_file(self, path: str) -> bool:
        """Whether a file that another machine has just written arrives; network folders may lag."""
        for _ in range(10):
            if os.path.exists(f"{self.root}/{path}"):
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

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def stop(self) -> Path:
        """The file that asks the driver to leave, from whatever machine."""
        return self.root / "stop"

    @contextmanager
    def locked(self, take_over: bool = False, listener: Listener | None = None) -> Iterator[Lock]:
        """Hold the study for one driver (see ``lock``); a study that never began leaves nothing.

        ``listener`` is told when another driver takes the study over, or somebody asks to stop.

        Raises:
            StudyLocked: another driver holds it.
        """
        with hold(self.lock, self.name, take_over, self._remove_if_unbegun) as lock:
            self.stop.unlink(missing_ok=True)
            _remove_torn(self.root)
            if lock.taken_over:
                supersede(self.journal)
            try:
                with beating(lock, self.stop, listener):
                    yield lock
            finally:
                if lock.is_held():
                    self.stop.unlink(missing_ok=True)

    def running_driver(self) -> Driver | None:
        """Return the driver at work now, or None."""
        return find_driver(self.lock)

    def _remove_if_unbegun(self) -> None:
        """Remove a study that never began; the lock's holder calls this."""
        if not self.exists() and {path.name for path in self.root.iterdir()} <= {
            path.name for path in (self.spec, self.lock, self.journal, self.logs)
        }:
            for path in (self.spec, self.journal, self.lock):
                path.unlink(missing_ok=True)
            with suppress(OSError):  # its logs may tell why
                self.root.rmdir()


def _remove_torn(folder: Path) -> None:
    """Remove what a process that was killed had begun to write: nobody takes so long."""
    for path in folder.glob(".*.writing"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _TORN_AFTER:
                path.unlink()


def check_free(results: Path, name: str) -> StudyDir:
    """Return where a new study of this name would be.

    Raises:
        StudyExists: a study of that name was begun, or something else lies there.
        SpecError: the name is unsafe, or the folder takes no files.
    """
    study = StudyDir(results.absolute() / check_name(name))
    if study.root.is_dir() and not study.exists() and study.running_driver() is None:
        ours = (study.lock, study.logs)
        strange = sorted(path.name for path in study.root.iterdir() if path not in ours)
        if strange:
            raise StudyExists(
                f"{study.root} holds {strange[0]!r} but no study: choose another --name, or clear "
                "the folder"
            )
    if study.exists() or study.root.is_symlink():
        raise StudyExists(
            f"study {name!r} exists in {results}: go on with '{resume_command(name, results)}', "
            "or choose another --name"
        )
    nearest = next(place for place in (study.root, *study.root.parents) if place.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise _unwritable(results, f"{nearest} is no folder that takes new files")
    return study


def _unwritable(results: Path, cause: str) -> SpecError:
    return SpecError(
        f"cannot write to the results folder {results}: {cause}; choose another with --results-dir"
    )


def create_study_dir(results: Path, name: str) -> StudyDir:
    """Make the folder of a new study.

    Raises:
        StudyExists: see ``check_free``.
        SpecError: the name is unsafe, or the folder cannot be made.
    """
    study = check_free(results, name)
    try:
        study.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=study.root):
            pass
    except OSError as error:
        raise _unwritable(results, str(error.strerror)) from error
    return study


def open_study_dir(results: Path, name: str) -> StudyDir:
    """Return the folder of a study that was begun.

    Raises:
        StudyNotFound: there is none of that name.
    """
    study = StudyDir(results.absolute() / check_name(name))
    if not study.exists():
        known = [found.name for found in list_studies(results)]
        there = f"there are: {', '.join(known)}" if known else "there are none yet"
        raise StudyNotFound(f"no study {name!r} in {results}; {there}")
    return study


def list_studies(results: Path) -> list[StudyDir]:
    """Return all studies under a results folder, by name."""
    if not results.is_dir():
        return []
    found = [StudyDir(path.absolute()) for path in sorted(results.iterdir()) if path.is_dir()]
    return [study for study in found if study.exists()]
