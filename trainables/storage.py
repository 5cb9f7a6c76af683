"""Where files lie on this machine, and the one way a file is replaced."""

import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path


@dataclass(frozen=True)
class Cache:
    """Things prepared once for all studies of a user; only this class knows where each lies.

    A corpus's own files are ``trainables.data.corpus.Corpus``'s to name.
    """

    root: Path

    def corpus(self, key: str) -> Path:
        """Return the folder of a prepared corpus, by its digest."""
        return self.root / "corpora" / key

    @property
    def datasets(self) -> Path:
        """Where the ``datasets`` library keeps what it has read."""
        return self.root / "datasets"

    @property
    def kernels(self) -> Path:
        """Where machine code lies that was compiled for this machine."""
        return self.root / "native"


def default_cache() -> Cache:
    """Return this user's cache: ``SEQTUNE_CACHE``, or the system's usual place."""
    return Cache(Path(os.environ.get("SEQTUNE_CACHE") or user_cache_path("seqtune")))


def replace_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write beside ``path``, flush to the disk, and rename: a reader, or a crash, finds the old
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
