"""Machine code for this machine: a C++ source, with the headers beside it, compiled once by its own
compiler, and kept."""

import ctypes
import hashlib
import os
import platform
import shlex
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from trainables.storage import default_cache

#: Lets the compiler fuse a product and a sum, and ignore traps and errno. NaN still stays NaN,
#: which -ffast-math would not guarantee.
_NUMBERS = ("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
_OPTIONS = ("-std=c++17", "-O3", "-march=native", *_NUMBERS, "-shared", "-fPIC")
_PATIENCE_SECONDS = 120


@cache
def compiled(source: Path) -> ctypes.CDLL | None:
    """Compile a source, or load it from the cache; None where no compiler can do it."""
    command = (*shlex.split(os.environ.get("CXX", "c++")), *_OPTIONS)
    sources = (source, *sorted(source.parent.glob("*.h")))
    content = (*(s.read_bytes() for s in sources), " ".join(command).encode(), _processor())
    key = hashlib.sha256(b"\0".join(content)).hexdigest()[:16]
    path = default_cache().kernels / f"{source.stem}-{key}.so"
    try:
        return ctypes.CDLL(str(path))
    except OSError:  # not there yet, or damaged
        pass
    try:
        _compile(command, source, path)
        return ctypes.CDLL(str(path))
    except (OSError, subprocess.SubprocessError):
        return None


def _compile(command: tuple[str, ...], source: Path, path: Path) -> None:
    """Put the library in its place, whole; other processes may be doing the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="compiling-", dir=path.parent) as folder:
        built = Path(folder) / path.name
        subprocess.run(
            [*command, "-o", str(built), str(source)],
            check=True,
            capture_output=True,
            timeout=_PATIENCE_SECONDS,
        )
        with open(built, "rb") as file:
            os.fsync(file.fileno())
        os.replace(built, path)


def _processor() -> bytes:
    """Identify the processor, for machines of several kinds may share a cache."""
    try:
        lines = Path("/proc/cpuinfo").read_bytes().splitlines()
    except OSError:
        return platform.processor().encode()
    telling = (b"model name", b"flags", b"Features", b"CPU part")
    return b"\n".join(sorted({line for line in lines if line.startswith(telling)}))
