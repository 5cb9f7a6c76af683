"""Machine code for this machine: a C++ source, with the headers beside it, compiled and kept.

The machine's own compiler does it once. The library lies in the cache, under a digest of sources,
command and processor. Where no compiler can do it, there is no library, and that is no error.
"""

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

#: Options that let the compiler fuse a product and a sum, and ignore traps and errno. NaN still
#: stays NaN, which -ffast-math would not guarantee.
_NUMBERS = ("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
_OPTIONS = ("-std=c++17", "-O3", "-march=native", *_NUMBERS, "-shared", "-fPIC")
#: Time limit of one compilation. ``recurrence.cpp`` takes two seconds.
_PATIENCE_SECONDS = 120


@cache
def compiled(source: Path) -> ctypes.CDLL | None:
    """Compile a source, or load it from the cache; return None where that is impossible."""
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
    """Put the whole library in its place at once; other processes may be doing the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, so that ``os.replace`` is a rename within one file system.
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
    """Return bytes that identify the processor, since different machines may share a cache."""
    try:
        lines = Path("/proc/cpuinfo").read_bytes().splitlines()
    except OSError:
        return platform.processor().encode()
    telling = (b"model name", b"flags", b"Features", b"CPU part")
    return b"\n".join(sorted({line for line in lines if line.startswith(telling)}))
