"""Machine code for this machine: a C++ source, with the headers beside it, compiled and kept.

The machine's own compiler does it once. The library lies in this user's folder of the cache, under
a digest of sources, command and processor. It is code that runs as this user, so nobody else may
have written it.
Where no compiler can do it, there is no library, and that is no error.
"""

import ctypes
import hashlib
import os
import platform
import shlex
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from trainables.storage import default_cache, own_cache

#: The passes of recurrent cells over time, which ``recurrence.py`` calls.
RECURRENCE = Path(__file__).with_name("recurrence.cpp")

#: Options that let the compiler fuse a product and a sum, and ignore traps and errno. NaN still
#: stays NaN, which -ffast-math would not guarantee.
_NUMBERS = ("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
_OPTIONS = ("-std=c++17", "-O3", *_NUMBERS, "-shared", "-fPIC")
#: How compilers are told to use all that the processor has; Apple's takes the second on its chips.
#: Last, what every compiler takes.
_FOR_THIS_PROCESSOR = (("-march=native",), ("-mcpu=native",), ())
#: Time limit of one compilation. ``recurrence.cpp`` takes two seconds.
_PATIENCE_SECONDS = 120

#: What Linux says of this machine's processors.
_CPUINFO = Path("/proc/cpuinfo")
#: What macOS says of them, and the seconds that it may take.
_SYSCTL, _SYSCTL_SECONDS = ("sysctl", "-n", "machdep.cpu.brand_string"), 10

#: A library ends with the SHA-256 of what is before it.
_DIGEST_BYTES = 32


@cache
def compiled(source: Path) -> ctypes.CDLL | None:
    """Load a source's library from the cache, or compile it; return None where both fail."""
    try:
        compiler = shlex.split(os.environ.get("CXX", "c++"))
    except ValueError:  # a quotation mark without its second
        return None
    commands = [(*compiler, *options, *_OPTIONS) for options in _FOR_THIS_PROCESSOR]
    # A cache of several users may be another's, who lets nobody make a folder in it.
    folders = dict.fromkeys((default_cache().kernels, own_cache().kernels))
    names = [(command, _name(source, command)) for command in commands]
    places = [(command, folder / name) for folder in folders for command, name in names]
    for _, path in places:
        try:
            return _load(path)
        except OSError:  # not there yet, damaged, or not ours
            continue
    for command, path in places:
        try:
            _compile(command, source, path)
            return _load(path)
        except (OSError, subprocess.SubprocessError):
            continue
    return None


def _name(source: Path, command: tuple[str, ...]) -> str:
    sources = (source, *sorted(source.parent.glob("*.h")))
    known = (" ".join(command).encode(), _processor())
    content = (*(s.read_bytes() for s in sources), *known)
    key = hashlib.sha256(b"\0".join(content)).hexdigest()[:16]
    return f"{source.stem}-{key}.so"


def _load(path: Path) -> ctypes.CDLL:
    """Load a library that this user alone can have written, whole.

    Raises:
        OSError: it is missing or damaged, or another user may write it or its folder.
    """
    _check_own(path.parent)
    _check_own(path)
    content = path.read_bytes()
    # A truncated library would end the process with SIGBUS.
    if hashlib.sha256(content[:-_DIGEST_BYTES]).digest() != content[-_DIGEST_BYTES:]:
        raise OSError(f"{path} is damaged")
    return ctypes.CDLL(str(path))


def _check_own(path: Path) -> None:
    status = path.stat()
    if status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise PermissionError(f"{path} may be another user's")


def _compile(command: tuple[str, ...], source: Path, path: Path) -> None:
    """Put the whole library in its place at once; other processes may be doing the same."""
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    _check_own(path.parent)
    # In the same folder, so that ``os.replace`` is a rename within one file system.
    with tempfile.TemporaryDirectory(prefix="compiling-", dir=path.parent) as folder:
        built = Path(folder) / path.name
        subprocess.run(
            [*command, "-o", str(built), str(source)],
            check=True,
            capture_output=True,
            timeout=_PATIENCE_SECONDS,
            # What a compiler that is killed leaves of its own lies there too, and not in /tmp.
            env=os.environ | {"TMPDIR": folder},
        )
        built.chmod(0o755)  # whatever the umask lets the group write
        with open(
            built, "ab"
        ) as file:  # what follows an ELF file's or a Mach-O file's end is ignored
            file.write(hashlib.sha256(built.read_bytes()).digest())
            file.flush()
            os.fsync(file.fileno())
        os.replace(built, path)


def _processor() -> bytes:
    """Return bytes that identify the processor, since different machines may share a cache."""
    try:
        lines = _CPUINFO.read_bytes().splitlines()
    except OSError:
        return _named_by_system()
    telling = (b"model name", b"flags", b"Features", b"CPU part")
    return b"\n".join(sorted({line for line in lines if line.startswith(telling)}))


def _named_by_system() -> bytes:
    """Return the processor's name on other systems; Python calls every chip of Apple's ``arm``."""
    named = b""
    if platform.system() == "Darwin":
        with suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(_SYSCTL, check=True, capture_output=True, timeout=_SYSCTL_SECONDS)
            named = done.stdout.strip()
    return named or platform.processor().encode()
