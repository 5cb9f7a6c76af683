"""What ``seqtune doctor`` looks at: this machine, or every node of a cluster."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from cluster.checks.facts import gather
from cluster.checks.findings import limits
from cluster.checks.nodes import check_nodes
from cluster.checks.packages import foreign_packages
from cluster.connect import connect
from cluster.errors import ClusterError
from cluster.kinds.base import ClusterKind, StartRequest
from search.monitor.say import say
from trainables.errors import DeviceError
from trainables.kernels.native import RECURRENCE, compiled
from trainables.storage import default_cache

_TRAINABLES = Path(__file__).parents[2] / "trainables"
_GIB = 1 << 30
_LEAST_MEMORY, _LEAST_DISK = 2 * _GIB, 2 * _GIB

#: Whether something is at fault, and the line that says it.
Line = tuple[bool, str]


def check_this_machine(kind: ClusterKind, results: Path) -> Iterator[Line]:
    """Yield a line for each thing that a search of this machine needs."""
    foreign = foreign_packages(("search", "trainables", "cluster"))
    yield from ((True, text) for text in foreign)
    if not foreign:
        yield False, f"packages: ours, in {_TRAINABLES.parent}"
    facts = gather((), None)
    yield (
        False,
        f"Python {facts.python}, Ray {facts.versions['ray']}, torch {facts.versions['torch']}",
    )
    yield _compiler()
    yield (
        facts.free_memory < _LEAST_MEMORY,
        f"memory: {facts.free_memory / _GIB:.1f} of {facts.memory / _GIB:.1f} GiB free; "
        f"{facts.cores} cores",
    )
    yield from (_disk(name, path) for name, path in _folders(results))
    yield False, f"shared memory: {facts.shared_memory / _GIB:.2f} GiB free"
    yield from ((one.is_fault, one.text) for one in limits(facts))
    yield _gpus(facts.gpus)
    yield _ray(kind)


def _compiler() -> Line:
    if compiled(RECURRENCE) is not None:
        return False, "compiler: compiles the recurrence for this processor"
    return False, "compiler: none (c++, or the one that CXX names); trials take twice the time"


def _folders(results: Path) -> Iterator[tuple[str, Path]]:
    for name, path in (
        ("results", results.absolute()),
        ("cache", default_cache().root.absolute()),
        ("temporary files", Path(tempfile.gettempdir())),
    ):
        yield name, next(place for place in (path, *path.parents) if place.exists())


def _disk(name: str, folder: Path) -> Line:
    """Judge the disk of a folder, and whether it takes a file."""
    import shutil

    free = shutil.disk_usage(folder).free
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return True, f"{name}: {folder} takes no file ({error.strerror})"
    return free < _LEAST_DISK, f"{name}: {free / _GIB:.1f} GiB free in {folder}"


def _gpus(count: int) -> Line:
    """Say what GPUs there are, and whether torch can use them."""
    from trainables.core.device import check_gpu

    if not count:
        return False, "GPUs: none"
    try:
        check_gpu()
    except DeviceError as error:
        return True, f"GPUs: {count}, but {error}"
    return False, f"GPUs: {count}, and torch can use them"


def _ray(kind: ClusterKind) -> Line:
    """Start Ray, as a search does."""
    try:
        with connect(kind, _request(Path(tempfile.gettempdir()))) as nodes:
            return False, f"Ray: starts, listens on this machine alone; {nodes[0].cpus} CPUs"
    except ClusterError as error:
        return True, f"Ray: {error}"


def _request(logs: Path) -> StartRequest:
    return StartRequest("doctor", 0, (_TRAINABLES,), logs, say)


def check_cluster_nodes(kind: ClusterKind, results: Path) -> Iterator[Line]:
    """Bring a cluster up if it is down, and yield a line for each of its nodes.

    Raises:
        ClusterError: it cannot be brought up or reached.
    """
    results = results.absolute()
    try:
        results.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ClusterError(f"cannot make {results}: {error.strerror}") from error
    with (
        tempfile.TemporaryDirectory(prefix=".doctor-", dir=results) as folder,
        connect(kind, _request(Path(folder))),
    ):
        for report in check_nodes(Path(folder), [_TRAINABLES.name]):
            yield bool(report.faults), report.line()
