"""What the search costs beside the training: trials of next to no work through everything there is.

``python tests/benchmarks/overhead.py [--quick]``: the real command, Ray, an fsynced journal,
checkpoints and TensorBoard, with ``random`` and ``auto`` in turn; then the driver's time for an
epoch's result, and how busy a search over ``imdb`` keeps the cores for ten minutes.
"""

import argparse
import itertools
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from searches import Search, write_idle_study
from verdict import Figure, conclude, spread

from search.journal.events import EpochDone, Event, TrialCreated
from search.journal.journal import read_events
from search.journal.state import replay
from search.policy.samplers.optuna_adapter import OptunaSampler
from search.policy.samplers.registry import SAMPLERS

#: Until Ray has started its workers and they have imported torch.
WARM_UP_SECONDS = 20.0

#: Trials under way when a suggestion is asked for.
RUNNING = 64


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
    quarter, tenth = len(ends) // 4, len(ends) // 10
    first, last = (trials_per_second(part) for part in (ends[:quarter], ends[-quarter:]))
    tenths = [trials_per_second(ends[i * tenth : (i + 1) * tenth]) for i in range(10)]
    print(
        f"{sampler}: {len(ends)} trials, {trials_per_second(ends):.1f} a second; the first quarter "
        f"{first:.1f}, the last {last:.1f}; tenths of them {spread(tenths, 1)}"
    )
    return search


def warm_starts(search: Search) -> list[float]:
    """Seconds from handing out an attempt to its first message, less what its epochs took; of
    trials after the tenth, whose worker has trained before."""
    handed: dict[int, float] = {}
    first: dict[int, float] = {}
    left: dict[int, float] = {}
    for line in search.lines():
        if line["event"] == "attempt":
            handed[line["trial"]] = line["time"]
        elif line["event"] == "epoch":
            number, when = line["trial"], line["time"]
            if first.setdefault(number, when) == when:
                left[number] = left.get(number, when - handed[number]) - line["seconds"]
    return [seconds for number, seconds in left.items() if number >= 10]


def learnt(events: list[Event]) -> list[Event]:
    """The same events, as if trials had learnt: of what luck alone tells apart no model is asked,
    which takes less time."""
    worth, found = dict[int, float](), list[Event]()
    for event in events:
        if isinstance(event, TrialCreated):
            params = event.params
            off = math.log10(params["learning_rate"]) + 3.0
            worth[event.trial] = 0.9 - 0.1 * off**2 - 0.2 * params["dropout"]
        elif isinstance(event, EpochDone):
            event = event.model_copy(update={"value": worth[event.trial] - 0.1 / event.epoch})
        found.append(event)
    return found


def suggestion_seconds(search: Search, kind: str) -> list[float]:
    """Times of single suggestions behind all of a search's trials, with ``RUNNING`` others."""
    events = learnt(read_events(search.journal))
    state, sampler, seconds = replay(events), SAMPLERS[kind](), list[float]()
    trials = len(state.trials)
    assert isinstance(sampler, OptunaSampler)
    sampler.history(state)  # takes up what there is
    for number in range(trials, trials + RUNNING + 20):
        started = time.perf_counter()
        suggestion = sampler.suggest(state, number)
        seconds.append(time.perf_counter() - started)
        state.apply(
            TrialCreated(
                trial=number,
                params=suggestion.params,
                origin=kind,
                attributes=suggestion.attributes,
            )
        )
    return seconds[RUNNING:]


def driver_seconds_per_epoch(folder: Path, epochs: int, alone: bool) -> list[float]:
    """CPU time of the driver for one more epoch, in each quarter of a search: two trials at a time
    that have only epochs.

    Quick ones come several in a message; ``alone`` gives them a patience that never ends them, so
    that each is answered, as are epochs too long to wait for each other.
    """
    limits = ["--trials", "2", "--max-concurrent", "2", "--set", "search.sampler=random"]
    limits += ["--set", f"stopping.max_epochs={epochs}", "--set", f"stopping.grace_epochs={epochs}"]
    limits += ["--set", f"fixed.patience={epochs}"] if alone else []
    name = "alone" if alone else "together"
    search = Search(folder, name, str(write_idle_study(folder)), *limits)
    marks = []
    for sample in search.samples(0.2):
        if search.journal.exists():
            epochs_done = search.journal.read_bytes().count(b'"event":"epoch"')
            marks.append((epochs_done, sample.cpu))
    counted = [mark for mark in marks if 50 <= mark[0] <= 2 * epochs - 10]
    steps = [counted[i * (len(counted) - 1) // 4] for i in range(5)]
    return [(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.pairwise(steps)]


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


def idle_figures(folder: Path, trials: int) -> dict[str, Figure]:
    """Pace, starts and suggestions of searches whose trials do nothing."""
    searches = {kind: idle_search(folder, kind, trials) for kind in ("random", "auto")}
    ends = {
        kind: [line["time"] for line in search.lines() if line["event"] == "end"]
        for kind, search in searches.items()
    }
    quarter = trials // 4
    first, last = (ends["random"][part] for part in (slice(quarter), slice(-quarter, None)))
    starts = [1e3 * seconds for seconds in warm_starts(searches["random"])]
    auto, tpe = (
        [1e3 * seconds for seconds in suggestion_seconds(searches["auto"], kind)]
        for kind in ("auto", "tpe")
    )
    print(
        f"start on a warm worker {spread(starts, 0)} ms; a suggestion behind {trials} trials, with "
        f"{RUNNING} running, {spread(auto, 1)} ms; TPE's {spread(tpe, 1)} ms"
    )
    return {
        "trials_per_second_random": Figure(trials_per_second(ends["random"]), ">=12"),
        "last_quarter_over_first": Figure(
            trials_per_second(last) / trials_per_second(first), ">=0.7"
        ),
        "trials_per_second_auto": Figure(trials_per_second(ends["auto"])),
        "suggestion_ms": Figure(statistics.median(auto), "<=20"),
        "tpe_suggestion_ms": Figure(statistics.median(tpe), "<=20"),
        "warm_start_seconds": Figure(statistics.median(starts) / 1e3, "<=0.3"),
    }


def epoch_figures(folder: Path, epochs: int) -> dict[str, Figure]:
    """The driver's time for an epoch, beside a bare Ray's."""
    together, alone = (
        [1e3 * seconds for seconds in driver_seconds_per_epoch(folder, count, each)]
        for count, each in ((epochs, False), (epochs // 4, True))
    )
    bare = 1e3 * bare_ray_seconds_per_epoch(epochs // 2)
    print(
        f"driver {spread(together)} ms for an epoch reported with others, {spread(alone)} for one "
        f"alone; beside it a bare Ray {bare:.2f}"
    )
    return {
        "driver_ms_per_epoch": Figure(statistics.median(together), "<=1.5"),
        "driver_ms_per_epoch_alone": Figure(statistics.median(alone)),
        "bare_ray_ms_per_epoch": Figure(bare),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer trials, judges nothing")
    quick = parser.parse_args().quick
    trials, epochs, minutes = (100, 500, 1.5) if quick else (2000, 2000, 10.0)
    with tempfile.TemporaryDirectory(prefix="seqtune-overhead-") as place:
        folder = Path(place)
        figures = idle_figures(folder, trials) | epoch_figures(folder, epochs)
        busy = utilisation(folder, minutes)
    print(f"cores busy {busy:.0%}")
    return conclude("overhead", figures | {"utilisation": Figure(busy, ">=0.9")}, quick)


if __name__ == "__main__":
    sys.exit(main())
