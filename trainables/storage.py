"""Places of files on this machine, and atomic replacement of a file."""

import errno
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path


@dataclass(frozen=True)
class Cache:
    """The folder of data that is prepared once for all studies of a user.

    Only this class knows its layout, except that ``trainables.data.corpus.Corpus`` names the files
    of a corpus.
    """

    root: Path

    def corpus(self, key: str) -> Path:
        """Return the folder of a prepared corpus, by its digest."""
        return self.root / "corpora" / key

    def sent(self, key: str) -> Path:
        """Return the folder of what was sent of a corpus: what trials read, and no test part."""
        return self.root / "sent" / key

    @property
    def datasets(self) -> Path:
        """Folder in which the ``datasets`` library caches the data that it has read."""
        return self.root / "datasets"

    @property
    def kernels(self) -> Path:
        """Folder of the machine code that was compiled for this user; a cache may serve several."""
        return self.root / "native" / str(os.getuid())

    def probe_lock(self, gpu: str) -> Path:
        """Return the file that a process locks while it measures a GPU, by its UUID."""
        return self.root / "probes" / f"{gpu}.lock"


def default_cache() -> Cache:
    """Return the cache: the folder ``SEQTUNE_CACHE``, or this user's own."""
    named = os.environ.get("SEQTUNE_CACHE")
    return Cache(Path(named)) if named else own_cache()


def own_cache() -> Cache:
    """Return this user's own cache, in the system's usual place."""
    return Cache(user_cache_path("seqtune"))


def new_folder(parent: Path, prefix: str) -> Path:
    """Make a folder of a name that nobody else has; who may read it the umask says.

    ``tempfile`` would close it to all but this user, and a cache may serve several.

    Raises:
        OSError: ``parent`` cannot be made or written.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f"{prefix}{secrets.token_hex(6)}"
    folder.mkdir()
    return folder


def replace_file(path: Path, content: bytes | memoryview, mode: int = 0o644) -> None:
    """Replace a file atomically: write beside ``path``, flush to the disk, and rename.

    A reader finds either the old file or the new one, even after a crash.

    Raises:
        OSError: the disk is full or the folder cannot be written; ``path`` is unchanged.
    """
    # Two processes, of two machines or two threads of one, may write a report at once.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.writing")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(beside, flags, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    _sync_folder(path.parent)  # the rename survives a crash once this is flushed


def _sync_folder(path: Path) -> None:
    """Flush a folder's names to the disk, where the file system knows how."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(folder)
