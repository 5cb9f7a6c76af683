"""What the facts of a machine mean for a search: faults that end it, and notes."""

from collections.abc import Iterator
from dataclasses import dataclass

from cluster.checks.facts import Facts, StorageFacts

_GIB = 1 << 30

#: Least room for a search: checkpoints come by the hundred.
LEAST_DISK, SCARCE_DISK, LEAST_INODES = _GIB // 4, 5 * _GIB, 1000
LEAST_FILES, SCARCE_FILES = 1024, 4096
#: A node starts some hundred threads, and each trial about fifty.
LEAST_THREADS = 500
LEAST_SHARED_MEMORY = 80 << 20
SLOW_STORAGE_SECONDS = 2.0
CLOCK_SECONDS = 30.0
#: Fewer bytes a second than this make the data's way to a node a matter of minutes.
SLOW_NETWORK = 5e6


@dataclass(frozen=True)
class Declared:
    """What a node offers to trials; memory in bytes."""

    cpus: int
    gpus: int
    memory: float


@dataclass(frozen=True)
class Finding:
    """Something to be said of a machine; a fault ends the search before its first trial."""

    is_fault: bool
    text: str


def fault(text: str) -> Finding:
    """Return a finding that ends the search."""
    return Finding(True, text)


def note(text: str) -> Finding:
    """Return a finding that is only said."""
    return Finding(False, text)


def judge(facts: Facts, driver: Facts, declared: Declared) -> list[Finding]:
    """Compare a node with the driver's machine and with what it was declared to have."""
    return [
        *_software(facts, driver),
        *_against_declared(facts, declared),
        *limits(facts),
        *_differences(facts, driver),
        *(_storage(facts.storage) if facts.storage else ()),
    ]


def _software(facts: Facts, driver: Facts) -> Iterator[Finding]:
    if facts.python.split(".")[:2] != driver.python.split(".")[:2]:
        yield fault(f"it runs Python {facts.python}, the driver {driver.python}: use the same")
    for name in ("ray", "torch"):
        here, there = facts.versions[name], driver.versions[name]
        # What follows a plus is how it was built: for CPUs, or for some CUDA.
        if here.partition("+")[0] != there.partition("+")[0]:
            yield fault(f"it has {name} {here or 'not'}, the driver {there}: install the same")
    for package, digest in driver.code.items():
        if facts.code[package] != digest:
            yield fault(
                f"its code of {package!r} is not the driver's: a copy that is installed there "
                "comes first; uninstall it"
            )


def _against_declared(facts: Facts, declared: Declared) -> Iterator[Finding]:
    if declared.gpus > facts.gpus:
        yield fault(f"{declared.gpus} GPUs are declared, it has {facts.gpus}: correct gpus")
    if declared.memory > facts.memory:
        yield fault(
            f"{declared.memory / _GIB:.1f} GiB of memory are declared, its processes may use "
            f"{facts.memory / _GIB:.1f} GiB"
        )
    if declared.cpus > facts.cores:
        yield note(
            f"{declared.cpus} cores are declared, its processes may use {facts.cores}: trials "
            "will share them; correct cpus"
        )


def limits(facts: Facts) -> Iterator[Finding]:
    """Judge what a machine allows this user, whatever it is for."""
    if facts.open_files < LEAST_FILES:
        yield fault(f"{facts.open_files} open files are allowed: raise it, ulimit -n 65536")
    elif facts.open_files < SCARCE_FILES:
        yield note(f"{facts.open_files} open files are allowed: many trials need more, ulimit -n")
    if facts.max_threads is not None and facts.max_threads - facts.threads < LEAST_THREADS:
        yield fault(
            f"{facts.threads} of {facts.max_threads} threads are in use: raise it, ulimit -u"
        )
    if facts.shared_memory < LEAST_SHARED_MEMORY:
        yield note(
            f"/dev/shm has {facts.shared_memory >> 20} MiB free: Ray will use a disk instead"
        )


def _differences(facts: Facts, driver: Facts) -> Iterator[Finding]:
    ahead = facts.clock - driver.clock
    if abs(ahead) > CLOCK_SECONDS:
        word = "ahead of" if ahead > 0 else "behind"
        yield note(
            f"its clock is {abs(ahead):.0f} s {word} the driver's: only times in logs differ"
        )
    if facts.proxies:
        yield note(f"{', '.join(facts.proxies)} is set: Ray hangs where no_proxy lacks its nodes")


def _storage(storage: StorageFacts) -> Iterator[Finding]:
    if storage.error:
        yield fault(
            f"{storage.error}: --results-dir must be a folder that all nodes share and may write"
        )
        return
    if storage.free_bytes < LEAST_DISK or storage.free_inodes < LEAST_INODES:
        yield fault(
            f"the results folder has {storage.free_bytes >> 20} MiB and {storage.free_inodes} "
            "files free: make room"
        )
    elif storage.free_bytes < SCARCE_DISK:
        yield note(f"the results folder has {storage.free_bytes / _GIB:.1f} GiB free")
    if storage.seconds > SLOW_STORAGE_SECONDS:
        yield note(f"what the driver writes is seen there after {storage.seconds:.1f} s")
    if storage.locks != "shared":
        yield note("locks of the results folder do not reach it: the heartbeat guards the study")


def speed(bytes_sent: int, seconds: float) -> Iterator[Finding]:
    """Judge the way to a node and back."""
    if bytes_sent / max(seconds, 1e-9) < SLOW_NETWORK:
        yield note(f"{bytes_sent / 1e6:.0f} MB take {seconds:.1f} s there and back")
