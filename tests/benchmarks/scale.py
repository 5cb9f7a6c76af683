"""What large studies cost: taking one up again, looking at it, and following it.

``python tests/benchmarks/scale.py [--quick]``. Journals of 1,000 trials of 100 epochs, of 10,000
trials under halving, and of 10,000 trials of 100 epochs are made up, and opened as ``seqtune
resume`` opens them, each in a process of its own, beside a fresh start: with the snapshot that a
driver has left, with one as old as they get before a kill, and without one.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from verdict import Figure, conclude

from search.driver.recorder import StudyRecorder
from search.driver.retention import CheckpointKeeper
from search.journal.events import (
    AttemptStarted,
    EpochDone,
    Event,
    TrialCreated,
    TrialEnded,
)
from search.journal.folder import StudyDir
from search.journal.journal import Journal, Line, encode
from search.journal.load import load
from search.journal.snapshot import EVERY_SECONDS, SnapshotWriter
from search.monitor.tensorboard import TensorBoardWriter
from search.policy.samplers.registry import TrialChooser
from search.spec.resolve import resolve
from search.spec.study import ResourcesSpec
from tests.study_harness import PREPARED, created, session
from trainables.attempts.messages import Numerics

#: Lines that a driver writes between two snapshots: two thousand a second are more than Ray brings.
_BEHIND = int(2_000 * EVERY_SECONDS)

NUMERICS = Numerics(
    device="cpu", precision="bfloat16", threads=1, processor="AMD EPYC", recurrence="native"
)


@dataclass(frozen=True)
class Size:
    """A study: its trials, and the epochs of each; by halving most of them stop early."""

    trials: int
    epochs: int
    halving: bool = False

    def of(self, rng: random.Random) -> int:
        """Return the epochs of one trial."""
        if not self.halving:
            return self.epochs
        return next(
            n for n in (1, 3, 9, 27, self.epochs) if n == self.epochs or rng.random() > 1 / 3
        )


SIZES = {
    "1,000 x 100": Size(1_000, 100),
    "10,000 halved": Size(10_000, 81, halving=True),
    "10,000 x 100": Size(10_000, 100),
}
QUICK = {"50 x 10": Size(50, 10)}


def tables(trials: int) -> dict[str, Any]:
    return {
        "name": "small",
        "data": {"source": "imdb"},
        "space": {
            "hidden_size": [32, 64, 128],
            "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
            "dropout": {"low": 0.0, "high": 0.5},
        },
        "search": {"trials": trials},
        "stopping": {"max_epochs": 100, "grace_epochs": 100},
    }


def events(size: Size) -> Iterator[Event]:
    """Make up a study that has made all its trials but one."""
    rng = random.Random(0)
    spec = resolve(tables(size.trials + 1), "x")
    yield created(spec)
    yield session(size.trials + 1)
    for number in range(size.trials):
        params = {
            "hidden_size": rng.choice([32, 64, 128]),
            "learning_rate": 10 ** rng.uniform(-4, -2),
            "dropout": rng.uniform(0, 0.5),
        }
        yield TrialCreated(trial=number, params=params, origin="tpe")
        yield AttemptStarted(trial=number, attempt=1, from_epoch=0)
        level, last = rng.uniform(0.5, 0.9), size.of(rng)
        for epoch in range(1, last + 1):
            yield _epoch(number, epoch, last, level + rng.uniform(-0.01, 0.01), rng)
        state = "completed" if last == size.epochs else "pruned"
        yield TrialEnded(trial=number, state=state)


def _epoch(number: int, epoch: int, last: int, value: float, rng: random.Random) -> EpochDone:
    names = ("val/loss", "val/macro_f1", "val/auc", "train/loss")
    return EpochDone(
        trial=number,
        attempt=1,
        epoch=epoch,
        value=value,
        metrics={"val/accuracy": value} | {name: rng.random() for name in names},
        seconds=round(rng.random(), 4),
        digest=f"{rng.getrandbits(256):064x}",
        host="node-1" if epoch == 1 else None,
        numerics=NUMERICS if epoch == 1 else None,
        decision="complete" if epoch == last else "continue",
    )


def write_study(folder: StudyDir, size: Size | None) -> int:
    """Write a journal without waiting for the disk; return its lines."""
    folder.root.mkdir(parents=True)
    made = events(size) if size else iter([created(resolve(tables(10), "x"))])
    count = 0
    with folder.journal.open("wb") as file:
        for count, event in enumerate(made, start=1):
            file.write(encode(Line(count - 1, 1.7e9 + count / 100, event)))
    return count


def leave_snapshot(folder: StudyDir, behind: int) -> None:
    """Leave what a driver does that was killed so many lines ago, and its TensorBoard files."""
    journal = folder.journal.read_bytes()
    if behind:
        at = len(journal)
        for _ in range(min(behind, journal.count(b"\n") // 2)):
            at = journal.rindex(b"\n", 0, at - 1) + 1
        folder.journal.write_bytes(journal[:at])
    loaded = load(folder)
    SnapshotWriter(folder, loaded.state, loaded.prefix, None).close(loaded.state)
    folder.journal.write_bytes(journal)


def open_study(folder: StudyDir) -> dict[str, float]:
    """Take a study up, until its next trial could be handed out."""
    started = time.perf_counter()
    past = load(folder)
    journal = Journal(folder.journal, prefix=past.prefix)
    recorder = StudyRecorder(folder, journal, past.state, PREPARED)
    recorder.begin(session(past.state.total), ResourcesSpec())
    board = TensorBoardWriter(folder, past.state, journal.prefix)
    snapshot = SnapshotWriter(folder, past.state, journal.prefix, past.kept)
    CheckpointKeeper(folder, past.state, keep_best=10)
    TrialChooser().choose(past.state)
    seconds = time.perf_counter() - started
    began = time.perf_counter()
    snapshot.take(past.state)
    taken = time.perf_counter() - began
    board.close()
    journal.close()
    return {"seconds": seconds, "mb": peak_mb(), "snapshot_ms": 1000 * taken}


def peak_mb() -> float:
    """Return the most memory that this process has had; ``getrusage`` begins with its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def in_a_process(folder: StudyDir) -> dict[str, float]:
    """Open a copy of a study's files in a process of its own."""
    copy = folder.root.with_name("opened") / "small"
    shutil.rmtree(copy.parent, ignore_errors=True)
    shutil.copytree(folder.root, copy, copy_function=_linked)
    done = subprocess.run(
        [sys.executable, __file__, "--open", str(copy)], check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _linked(source: str, target: str) -> None:
    """Copy what is written to, and no more."""
    if "tfevents" in source:
        Path(target).hardlink_to(source)
    else:
        shutil.copy(source, target)


def command_seconds(folder: StudyDir, *arguments: str) -> float:
    """Return how long a command of the user's takes."""
    started = time.perf_counter()
    subprocess.run(
        [*(sys.executable, "-m", "search", *arguments), "--results-dir", str(folder.root.parent)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def measure(name: str, size: Size, place: Path, fresh: dict[str, float]) -> dict[str, float]:
    folder = StudyDir(place / "results" / "small")
    lines = write_study(folder, size)
    megabytes = folder.journal.stat().st_size / 1e6
    print(
        f"{name}: {lines:,} lines, {megabytes:.0f} MB, {1e6 * megabytes / lines:.0f} bytes a line"
    )
    began = time.perf_counter()
    loaded = load(folder)
    print(f"  read whole: {time.perf_counter() - began:.1f} s")
    board = TensorBoardWriter(folder, loaded.state, loaded.prefix)
    board.close()
    print(f"  TensorBoard written whole: {time.perf_counter() - began:.1f} s with the reading")
    found: dict[str, float] = {}
    for kind, behind in (("resumed", 0), ("after a kill", _BEHIND)):
        leave_snapshot(folder, behind)
        opened = in_a_process(folder)
        extra = opened["mb"] - fresh["mb"]
        print(
            f"  {kind}: {opened['seconds']:.2f} s and {extra:.0f} MB more than a fresh start "
            f"({fresh['seconds']:.2f} s); a snapshot takes {opened['snapshot_ms']:.1f} ms"
        )
        found = {
            "seconds": max(opened["seconds"], found.get("seconds", 0.0)),
            "mb": max(extra, found.get("mb", 0.0)),
            "snapshot_ms": max(opened["snapshot_ms"], found.get("snapshot_ms", 0.0)),
        }
    for verb in ("status", "report", "trials"):
        found[verb] = command_seconds(folder, verb, "small")
        print(f"  seqtune {verb}: {found[verb]:.2f} s")
    return found


TARGETS = {
    "seconds": "<=10",
    "mb": "<=500",
    "snapshot_ms": "<=50",
    "status": "<=1",
    "report": "<=10",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one small study, judges nothing")
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.open:
        print(json.dumps(open_study(StudyDir(options.open))))
        return 0
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as place:
        empty = StudyDir(Path(place) / "fresh" / "small")
        write_study(empty, None)
        fresh = in_a_process(empty)
        for name, size in (QUICK if options.quick else SIZES).items():
            folder = Path(place) / f"{size.trials}-{size.halving}-{size.epochs}"
            found = measure(name, size, folder, fresh)
            shutil.rmtree(folder)
            figures |= {
                f"{name}: {key}": Figure(value, TARGETS.get(key)) for key, value in found.items()
            }
    return conclude("scale", figures, options.quick)


if __name__ == "__main__":
    sys.exit(main())
