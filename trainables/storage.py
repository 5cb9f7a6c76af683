"""The one way a file is replaced: whole, and on the disk."""

import os
from pathlib import Path


def replace_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Writes beside ``path``, flushes to the disk, and renames: a reader, or a crash, finds the old
    file or the new one.

    Raises:
        OSError: the disk is full or the folder cannot be written; ``path`` is as it was.
    """
    beside = path.with_name(f".{path.name}.writing")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with open(os.open(beside, flags, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
