"""What a machine finds out about itself; it is asked in a process like those of trials."""

import errno
import fcntl
import glob
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import resource
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from cluster.cores import usable_cores

#: How long a file that another machine has just written may take to be seen.
STORAGE_SECONDS = 10.0

_CGROUP = Path("/sys/fs/cgroup")
_PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")


@dataclass(frozen=True)
class StorageFacts:
    """How a machine sees the folder of results.

    Attributes:
        error: why it is of no use, or nothing.
        seconds: until it saw what the driver's machine had written.
        locks: ``shared``, ``own`` (they do not reach the driver's machine) or ``absent``.
    """

    error: str = ""
    seconds: float = 0.0
    locks: str = "shared"
    free_bytes: int = 0
    free_inodes: int = 0


@dataclass(frozen=True)
class Facts:
    """What a machine is; memory and disks in bytes.

    Attributes:
        code: digest of the code that trains, by package.
        cores: those that a process may use.
        memory: all of it, or as much as its control group may use.
        threads, max_threads: of this user; the latter None where unlimited.
        clock: seconds since 1970.
    """

    host: str
    python: str
    versions: dict[str, str]
    code: dict[str, str]
    cores: int
    memory: int
    free_memory: int
    gpus: int
    open_files: int
    threads: int
    max_threads: int | None
    shared_memory: int
    proxies: tuple[str, ...]
    clock: float
    storage: StorageFacts | None


def gather(packages: Sequence[str], storage: StorageFacts | None) -> Facts:
    """Look at this machine; ``packages`` are those whose code trials run."""
    memory = psutil.virtual_memory()
    limit = _cgroup_memory()
    soft_threads = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    return Facts(
        host=socket.gethostname(),
        python=platform.python_version(),
        versions={name: _version(name) for name in ("ray", "torch", "numpy")},
        code={name: code_digest(name) for name in packages},
        cores=usable_cores(),
        memory=min(memory.total, limit or memory.total),
        free_memory=memory.available,
        gpus=len(glob.glob("/dev/nvidia[0-9]*")),
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        threads=_own_threads(),
        max_threads=None if soft_threads == resource.RLIM_INFINITY else soft_threads,
        shared_memory=_free("/dev/shm")[0],
        proxies=tuple(name for name in _PROXIES if os.environ.get(name)),
        clock=time.time(),
        storage=storage,
    )


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def code_digest(package: str) -> str:
    """Return a digest of all sources of a package, or of a module, as this process imports it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return ""
    origin = Path(spec.origin)
    root = origin.parent if origin.name == "__init__.py" else origin
    files = sorted(f for kind in ("py", "cpp", "h") for f in root.rglob(f"*.{kind}"))
    digest = hashlib.sha256()
    for path in files or [origin]:
        digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _cgroup_memory() -> int | None:
    """Return what this process's control group may use; None without a limit."""
    with suppress(OSError, ValueError, IndexError):
        own = (
            Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()[0].rpartition(":")[2]
        )
        for folder in (_CGROUP / own.lstrip("/"), _CGROUP):
            if (folder / "memory.max").exists():
                return int((folder / "memory.max").read_text())
    return None


def _own_threads() -> int:
    """Return how many threads this user has."""
    count, uid = 0, os.getuid()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.uids().real == uid:
                count += process.num_threads()
    return count


def _free(path: str) -> tuple[int, int]:
    """Return the free bytes and inodes of a file system."""
    try:
        found = os.statvfs(path)
    except OSError:
        return 0, 0
    # A file system that counts no inodes says 0 of 0.
    inodes = found.f_favail if found.f_files else 1 << 30
    return found.f_bavail * found.f_frsize, inodes


def try_storage(folder: str, node: str) -> StorageFacts:
    """See what the driver's machine has written to a folder, and answer there.

    The driver's machine holds a lock on its file: whether it can be had here says how far locks
    reach.
    """
    began = time.monotonic()
    theirs = Path(folder) / "driver"
    while not theirs.exists():
        if time.monotonic() - began > STORAGE_SECONDS:
            return StorageFacts(error="it does not see what the driver's machine writes there")
        time.sleep(0.05)
    seconds = time.monotonic() - began
    try:
        # For writing too: NFS locks a range of bytes, which must be open for that.
        with open(theirs, "r+", encoding="utf-8") as file:
            locks = _locks(file.fileno())
            (Path(folder) / node).write_text(file.read())
    except OSError as error:
        return StorageFacts(error=f"it cannot write there ({error.strerror})")
    return StorageFacts("", seconds, locks, *_free(folder))


def _locks(descriptor: int) -> str:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "shared"
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
            raise
        return "absent"
    return "own"
