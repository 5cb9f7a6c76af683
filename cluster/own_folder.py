"""A temporary folder of this process alone: whatever ends the process, the next one removes it."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from cluster.errors import ClusterError

_HELD = "held"


@contextmanager
def own_folder(prefix: str, stays_after_errors: bool = False) -> Iterator[Path]:
    """Make a folder that nobody else may enter, in ``RAY_TMPDIR`` or among temporary files.

    It is removed at the end. Where the process was killed, it stays until the next folder of that
    prefix is made.

    Args:
        stays_after_errors: it stays so long after an error, too: what lies in it may tell why.

    Raises:
        ClusterError: it cannot be made.
    """
    parent = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir())
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _sweep(parent, prefix)
        folder, file = _held_folder(parent, prefix)
    except OSError as error:
        raise ClusterError(
            f"Ray needs a folder of its own in {parent}: {error.strerror}; RAY_TMPDIR names another"
        ) from error
    with file:
        stays = stays_after_errors
        try:
            yield folder
            stays = False
        finally:
            if not stays:
                _remove(folder)


def _held_folder(parent: Path, prefix: str) -> tuple[Path, IO[str]]:
    """Make a folder, and hold its lock: the system lets go of it with this process."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        with suppress(FileNotFoundError):  # another's sweep came between
            file = (folder / _HELD).open("w", encoding="utf-8")
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(file.fileno()), (folder / _HELD).stat()):
                return folder, file


def _sweep(parent: Path, prefix: str) -> None:
    """Remove the folders of this user's processes that have ended: nobody holds their locks."""
    for folder in parent.glob(f"{prefix}*"):
        # Of another user, or of a process at work.
        with suppress(OSError), (folder / _HELD).open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(folder)
        with suppress(OSError):
            folder.rmdir()  # an empty one, whose process was killed as it made it


def _remove(folder: Path) -> None:
    """Remove a folder, the lock at last: one that is half removed is swept another time."""
    for path in folder.glob("*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != _HELD:
            path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
