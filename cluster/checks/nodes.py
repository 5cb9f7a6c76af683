"""Asks every node of a connected cluster for its facts, and judges them."""

import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cluster.checks.facts import Facts, StorageFacts, gather, try_storage
from cluster.checks.findings import Declared, Finding, fault, judge, note, speed

#: A node that has not answered by then has no working Python for trials.
ANSWER_SECONDS = 90.0

_ROUND_TRIP = 10_000_000


@dataclass(frozen=True)
class NodeReport:
    """What was found on one node."""

    node: str
    facts: Facts | None
    findings: tuple[Finding, ...]
    seconds: float = 0.0

    @property
    def faults(self) -> list[str]:
        return [f"{self.node}: {one.text}" for one in self.findings if one.is_fault]

    def line(self) -> str:
        """Return the node in one line."""
        if self.findings:
            return f"{self.node}: " + "; ".join(one.text for one in self.findings)
        assert self.facts is not None
        return (
            f"{self.node}: ok: {self.facts.cores} cores, {self.facts.memory / (1 << 30):.1f} GiB, "
            f"{self.facts.gpus} GPUs, 10 MB there and back in {self.seconds:.2f} s"
        )


def check_nodes(results: Path, packages: Sequence[str]) -> list[NodeReport]:
    """Ask all nodes that have slots for trials, at once.

    Args:
        results: a folder that all of them must share.
        packages: the packages whose code trials run.
    """
    import ray
    from ray.exceptions import GetTimeoutError, RayError

    with _shared_folder(results) as folder:
        driver = gather(packages, None)
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        offering = [n for n in nodes if n["Alive"] and n["Resources"].get("CPU", 0) > 0]
        ask: Any = ray.remote(num_cpus=0, max_retries=0)(_facts)
        echo: Any = ray.remote(num_cpus=0, max_retries=0)(_echo)
        asked = [
            ask.options(**_on(node)).remote(str(folder), _name(node), tuple(packages))
            for node in offering
        ]
        ray.wait(asked, num_returns=len(asked), timeout=ANSWER_SECONDS)
        reports = []
        for node, answer in zip(offering, asked, strict=True):
            facts = _answer(answer)
            if isinstance(facts, Finding):
                reports.append(NodeReport(_name(node), None, (facts,)))
                continue
            try:
                seconds, ahead = _round_trip(echo.options(**_on(node)))
            except (GetTimeoutError, RayError) as error:
                lost = fault(f"it answered once, and not again: {str(error).splitlines()[0]}")
                reports.append(NodeReport(_name(node), facts, (lost,)))
                continue
            facts = replace(facts, clock=driver.clock + ahead)
            findings = judge(facts, driver, _declared(node))
            findings += [*speed(2 * _ROUND_TRIP, seconds), *_seen_here(folder, node, facts)]
            reports.append(NodeReport(_name(node), facts, tuple(findings), seconds))
    return reports


@contextmanager
def _shared_folder(results: Path) -> Iterator[Path]:
    """A folder among the results with a file that this machine has locked, where it can."""
    folder = Path(tempfile.mkdtemp(prefix=".check-", dir=results))
    try:
        beside = folder / "driver.writing"
        with beside.open("w", encoding="utf-8") as file:
            with suppress(OSError):  # the nodes say so
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write("seen\n")
            file.flush()
            beside.rename(folder / "driver")
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _facts(folder: str, node: str, packages: tuple[str, ...]) -> Facts:
    """Runs on the node."""
    return gather(packages, try_storage(folder, node))


def _echo(content: bytes) -> tuple[bytes, float]:
    """Runs on the node."""
    return content, time.time()


def _on(node: dict[str, Any]) -> dict[str, Any]:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)}


def _name(node: dict[str, Any]) -> str:
    return str(node.get("NodeName") or node["NodeManagerAddress"])


def _declared(node: dict[str, Any]) -> Declared:
    has = node["Resources"]
    return Declared(int(has.get("CPU", 0)), int(has.get("GPU", 0)), has.get("memory", 0.0))


def _answer(reference: Any) -> Facts | Finding:
    import ray
    from ray.exceptions import GetTimeoutError, RayError

    try:
        facts: Facts = ray.get(reference, timeout=1.0)
        return facts
    except GetTimeoutError:
        return fault(
            f"no process for trials has started within {ANSWER_SECONDS:.0f} s: see the log of its "
            "raylet"
        )
    except RayError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        return fault(f"no trial can run there: {lines[-1].strip() if lines else error!r}")


def _round_trip(echo: Any) -> tuple[float, float]:
    """Return the seconds that ten million bytes take to a node and back, and how many seconds its
    clock is ahead, to within half of that."""
    import ray

    content = bytes(_ROUND_TRIP)
    began, sent = time.monotonic(), time.time()
    _, there = ray.get(echo.remote(content), timeout=ANSWER_SECONDS)
    seconds = time.monotonic() - began
    return seconds, there - (sent + seconds / 2)


def _seen_here(folder: Path, node: dict[str, Any], facts: Facts) -> Iterator[Finding]:
    """Judge whether this machine sees what the node has written."""
    storage: StorageFacts | None = facts.storage
    if storage is None or storage.error:
        return
    began = time.monotonic()
    while not (folder / _name(node)).exists():
        if time.monotonic() - began > 10.0:
            yield fault(
                "what it writes to the results folder is not seen here: --results-dir must be a "
                "folder that all nodes share"
            )
            return
        time.sleep(0.05)
    if time.monotonic() - began > 2.0:
        yield note(f"what it writes is seen here after {time.monotonic() - began:.1f} s")
