"""What the search costs beside the training: trials of next to no work through everything there is.

``python tests/benchmarks/overhead.py [--quick]``: the real command, Ray, an fsynced journal,
checkpoints and TensorBoard, with ``random`` and ``tpe`` in turn; then the driver's time for an
epoch's result, and how busy a search over ``imdb`` keeps the cores for ten minutes.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from searches import Search, write_idle_study
from verdict import Figure, conclude

from search.events import Event
from search.journal import read_journal
from search.sampler import Sampler
from search.state import replay

#: Until Ray has started its workers and they have imported torch.
WARM_UP_SECONDS = 20.0


def trials_per_second(ends: list[float]) -> float:
    """Of the times at which trials ended."""
    return (len(ends) - 1) / (ends[-1] - ends[0])


def idle_search(folder: Path, sampler: str, trials: int) -> Search:
    """Runs to its end and prints its pace."""
    name = f"idle-{sampler}"
    study = write_idle_study(folder)
    arguments = ["--trials", str(trials), "--set", f"search.sampler={sampler}"]
    search = Search(folder, name, str(study), *arguments)
    for _ in search.samples():
        pass
    ends = [line["time"] for line in search.lines() if line["event"] == "end"]
    quarter = len(ends) // 4
    first, last = (trials_per_second(part) for part in (ends[:quarter], ends[-quarter:]))
    print(
        f"{sampler}: {len(ends)} trials, {trials_per_second(ends):.1f} a second; the first quarter "
        f"{first:.1f}, the last {last:.1f}"
    )
    return search


def warm_starts(search: Search) -> list[float]:
    """Seconds from handing out an attempt to its first report, less that epoch's own; of trials
    after the tenth, whose worker has trained before."""
    handed: dict[int, float] = {}
    found = []
    for line in search.lines():
        if line["event"] == "attempt":
            handed[line["trial"]] = line["time"]
        elif line["event"] == "epoch" and line["epoch"] == 1 and line["trial"] >= 10:
            found.append(line["time"] - handed[line["trial"]] - line["seconds"])
    return found


def suggestion_seconds(search: Search, kind: str) -> float:
    """Median time of one suggestion behind all of a search's trials."""
    events: list[Event] = [line.event for line in read_journal(search.journal)]
    spec = replay(events).spec
    chosen = spec.model_copy(update={"search": spec.search.model_copy(update={"sampler": kind})})
    sampler, trials, seconds = Sampler(chosen), len(replay(events).trials), []
    for event in events:
        sampler.apply(event)
    for number in range(trials, trials + 20):
        started = time.perf_counter()
        sampler.apply(sampler.suggest(number))
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def driver_seconds_per_epoch(folder: Path, epochs: int) -> float:
    """CPU time of the driver for one more epoch: two trials at a time that have only epochs."""
    limits = ["--trials", "2", "--max-concurrent", "2", "--set", "search.sampler=random"]
    limits += ["--set", f"stopping.max_epochs={epochs}", "--set", f"stopping.grace_epochs={epochs}"]
    search = Search(folder, "epochs", str(write_idle_study(folder)), *limits)
    marks = []
    for sample in search.samples(0.2):
        if search.journal.exists():
            epochs_done = search.journal.read_bytes().count(b'"event":"epoch"')
            marks.append((epochs_done, sample.cpu))
    counted = [mark for mark in marks if 50 <= mark[0] <= 2 * epochs - 10]
    return (counted[-1][1] - counted[0][1]) / (counted[-1][0] - counted[0][0])


def bare_ray_seconds_per_epoch(epochs: int) -> float:
    """The same of Ray Tune with nothing of ours in it, which no search through it can go below."""
    script = Path(__file__).with_name("bare_ray.py")
    said = subprocess.check_output([sys.executable, str(script), str(epochs)], text=True)
    return float(json.loads(said.splitlines()[-1])["seconds"])


def utilisation(folder: Path, minutes: float) -> float:
    """Share of the cores' time in which trial processes of a real search computed."""
    search = Search(
        folder, "busy", "imdb", "--trials", "10000", "--time-budget", f"{minutes * 60:.0f}s"
    )
    spent: dict[int, tuple[float, float]] = {}
    began = last = None
    for _ in search.samples(1.0):
        if search.journal.exists() and b'"event":"attempt"' in search.journal.read_bytes():
            began = began or time.monotonic()
        if began is None or time.monotonic() - began < WARM_UP_SECONDS:
            continue
        if time.monotonic() - began > minutes * 60 - 5:
            continue
        for process in search.trial_processes():
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total = times.user + times.system
            spent[process.pid] = (spent.get(process.pid, (total, 0.0))[0], total)
        last = time.monotonic()
    assert began is not None and last is not None
    computed = sum(end - start for start, end in spent.values())
    return computed / (psutil.cpu_count() * (last - began - WARM_UP_SECONDS))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer trials, judges nothing")
    quick = parser.parse_args().quick
    trials, epochs, minutes = (100, 200, 1.5) if quick else (2000, 1000, 10.0)
    with tempfile.TemporaryDirectory(prefix="seqtune-overhead-") as place:
        folder = Path(place)
        searches = {kind: idle_search(folder, kind, trials) for kind in ("random", "tpe")}
        starts = warm_starts(searches["random"])
        suggestion = suggestion_seconds(searches["tpe"], "tpe")
        per_epoch = driver_seconds_per_epoch(folder, epochs)
        busy = utilisation(folder, minutes)
        bare = bare_ray_seconds_per_epoch(epochs)
        pace = {
            kind: [line["time"] for line in search.lines() if line["event"] == "end"]
            for kind, search in searches.items()
        }
    quarter = trials // 4
    kept = trials_per_second(pace["random"][-quarter:]) / trials_per_second(
        pace["random"][:quarter]
    )
    print(
        f"start on a warm worker {statistics.median(starts) * 1e3:.0f} ms, at most "
        f"{max(starts) * 1e3:.0f}; TPE's suggestion behind {trials} trials {suggestion * 1e3:.1f} "
        f"ms; driver {per_epoch * 1e3:.2f} ms an epoch, beside it a bare Ray {bare * 1e3:.2f}; "
        f"cores busy {busy:.0%}"
    )
    figures = {
        "trials_per_second_random": Figure(trials_per_second(pace["random"]), ">=12"),
        "last_quarter_over_first": Figure(kept, ">=0.7"),
        "trials_per_second_tpe": Figure(trials_per_second(pace["tpe"])),
        "tpe_suggestion_ms": Figure(suggestion * 1e3, "<=20"),
        "driver_ms_per_epoch": Figure(per_epoch * 1e3, "<=1.5"),
        "bare_ray_ms_per_epoch": Figure(bare * 1e3),
        "warm_start_seconds": Figure(statistics.median(starts), "<=0.3"),
        "utilisation": Figure(busy, ">=0.9"),
    }
    return conclude("overhead", figures, quick)


if __name__ == "__main__":
    sys.exit(main())
