"""Which sampler finds good configurations soonest: searches simulated on recorded learning curves.

``python tests/benchmarks/samplers.py [--quick] [--times 4]``. The searches are the
product's own, with its recorder, sampler, rungs and journal; only the clock and the training are
simulated, by ``landscape.py`` (``--record JOURNAL`` takes the curves behind it from a study). Each
simulated trial has the noise of some recorded one.

Regret is what the landscape says of the best configuration there is, less what it says, without the
noise, of the trial that leads the search: luck counts for nothing.
"""

import argparse
import heapq
import math
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from landscape import METRIC, Landscape, fit, optimum_of, record
from numpy.typing import NDArray
from optuna.samplers import TPESampler
from studies import NUMERICS, created, prepared
from threadpoolctl import threadpool_limits
from verdict import Figure, conclude

import search.policy.samplers.window
from search.driver.recorder import StudyRecorder
from search.journal.events import SessionStarted
from search.journal.folder import StudyDir
from search.journal.journal import Journal
from search.journal.state import StudyState, replay
from search.policy.samplers.base import Sampler
from search.policy.samplers.optuna_adapter import OptunaSampler
from search.policy.samplers.registry import SAMPLERS
from search.policy.samplers.window import RecentTrialsStorage
from search.policy.seeds import derive_seed
from search.spec.resolve import resolve
from search.spec.study import ResourcesSpec, SearchSpec, StudySpec, find_study_file, read_toml
from trainables.attempts.messages import Assignment, Checkpoint, Report


def _variant(multivariate: bool, constant_liar: bool) -> Callable[[], Sampler]:
    """TPE over the product's window, with Optuna's two switches."""
    return lambda: OptunaSampler(
        lambda seed: TPESampler(seed=seed, multivariate=multivariate, constant_liar=constant_liar),
        RecentTrialsStorage,
    )


#: Everything that might be the default; ``random``, ``tpe`` and ``gp`` as the product has them.
CANDIDATES: dict[str, Callable[[], Sampler]] = {
    "random": SAMPLERS["random"],
    "tpe": SAMPLERS["tpe"],
    "tpe, multivariate": _variant(True, False),
    "tpe, constant liar": _variant(False, True),
    "tpe, both (Optuna's default)": _variant(True, True),
    "gp": SAMPLERS["gp"],
}


@dataclass(frozen=True)
class Setting:
    """One kind of search."""

    sampler: str
    asha: bool
    workers: int
    seed: int
    seconds: float


def simulate(landscape: Landscape, setting: Setting, marks: int) -> list[float]:
    """The noise-free value of the leading trial at each of ``marks`` equal shares of the time."""
    SAMPLERS["tpe"] = CANDIDATES[setting.sampler]  # what the study's file names
    with tempfile.TemporaryDirectory(dir=_fast_disk()) as place:
        study, state = _new_study(Path(place), setting)
        curves: dict[int, tuple[NDArray[np.float64], NDArray[np.float64], float]] = {}
        due: list[tuple[float, int, Assignment]] = []

        def start(now: float) -> None:
            work = study.next()
            assert isinstance(work, Assignment)
            mean, seconds = landscape.curve(state.trials[work.number].params)
            drawn = derive_seed(setting.seed, "noise", work.number) % len(landscape.noise)
            curves[work.number] = (mean, mean + landscape.noise[drawn], seconds)
            heapq.heappush(due, (now + seconds, work.number, work))

        for _ in range(setting.workers):
            start(0.0)
        found: list[float] = []
        while len(found) < marks:
            now, number, work = heapq.heappop(due)
            while len(found) < marks and now > setting.seconds * (len(found) + 1) / marks:
                found.append(_leader(state, curves))
            _, seen, seconds = curves[number]
            if study.report([_report(study, work, seen)]):
                heapq.heappush(due, (now + seconds, number, work))
            else:
                start(now)
        return found


def _fast_disk() -> str | None:
    """Memory where there is a disk of it: a simulation has nothing to lose."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _new_study(place: Path, setting: Setting) -> tuple[StudyRecorder, StudyState]:
    tables = read_toml(find_study_file("rotten-tomatoes"))
    tables["search"] |= {"seed": setting.seed, "trials": 100_000}
    tables["metric"] = METRIC
    spec: StudySpec = resolve(tables, "rotten-tomatoes")
    if not setting.asha:
        never = spec.stopping.model_copy(update={"grace_epochs": spec.stopping.max_epochs})
        spec = spec.model_copy(update={"stopping": never})
    folder = StudyDir(place)
    journal = Journal(folder.journal)
    journal.append(created(spec))
    state = replay([created(spec)])
    study = StudyRecorder(folder, journal, state, prepared(place))
    session = SessionStarted(pid=1, host="h", total=100_000, resources={}, versions={}, code={})
    study.begin(session, ResourcesSpec())
    (place / "checkpoint").touch()
    return study, state


def _report(study: StudyRecorder, work: Assignment, seen: NDArray[np.float64]) -> Report:
    epoch = study.state.trials[work.number].epoch + 1
    return Report(
        number=work.number,
        attempt=work.attempt,
        epoch=epoch,
        metrics={METRIC: float(seen[epoch - 1])},
        seconds=1.0,
        checkpoint=Checkpoint(epoch=epoch, path="checkpoint", digest="d" * 64),
        host="h",
        numerics=NUMERICS,
    )


def _leader(state: StudyState, curves: dict[int, Any]) -> float:
    best = state.best()
    if best is None:
        return 0.5
    return float(curves[best.trial.number][0][best.epoch.epoch - 1])


_landscape: Landscape | None = None


def _simulate_with(marks: int, setting: Setting) -> list[float]:
    assert _landscape is not None
    return simulate(_landscape, setting, marks)


def _take(landscape: Landscape) -> None:
    """Readies a process of the pool: two that each use all cores stand in each other's way."""
    global _landscape
    _landscape = landscape
    threadpool_limits(1)
    torch.set_num_threads(1)


def settings_of(seeds: int, times: int, samplers: list[str]) -> list[Setting]:
    """Every search to simulate: two workers, and eight for a quarter of the time."""
    return [
        Setting(sampler, asha, workers, seed, seconds * times)
        for workers, seconds in ((2, 240.0), (8, 60.0))
        for asha in ((True, False) if times == 1 else (True,))
        for sampler in samplers
        for seed in range(seeds)
    ]


Regrets = dict[tuple[str, bool], NDArray[np.float64]]


def behind(regrets: Regrets, other: str) -> float:
    """How far the default sampler is behind another, both with ASHA, in standard errors of the
    difference of their searches' mean regrets, seed by seed."""
    apart = (regrets[SearchSpec().sampler, True] - regrets[other, True]).mean(axis=1)
    return float(apart.mean() / (apart.std(ddof=1) / math.sqrt(len(apart))))


def tabulate(workers: int, seconds: float, regrets: Regrets) -> dict[str, Figure]:
    """Prints the regrets of one number of workers; returns what of them is judged."""
    marks = regrets["random", True].shape[1]
    print(
        f"\n{workers} workers: mean regret in points after {seconds / marks:.0f} s, … "
        f"{seconds:.0f} s (standard error), and relative to random with ASHA"
    )
    reference = regrets["random", True]
    figures = {}
    for (sampler, asha), regret in sorted(regrets.items(), key=lambda row: row[1].mean()):
        means, errors = regret.mean(axis=0), regret.std(axis=0, ddof=1) / math.sqrt(len(regret))
        cells = "  ".join(f"{m:.2f} ({e:.2f})" for m, e in zip(means, errors, strict=True))
        ratio = float((means / reference.mean(axis=0)).mean())
        name = f"{sampler}{' + ASHA' if asha else ''}"
        print(f"{name:38s} {cells}   {ratio:.2f}")
        if asha:
            figures[f"{sampler}_{workers}"] = Figure(ratio)
        if asha and sampler != SearchSpec().sampler:
            figures[f"default_behind_{sampler}_{workers}_errors"] = Figure(
                behind(regrets, sampler), "<=2"
            )
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three seeds, judges nothing")
    parser.add_argument("--times", type=int, default=1, help="so many times as long; gp by name")
    parser.add_argument("--seeds", type=int, default=30, help="searches of each kind, two or more")
    parser.add_argument("--only", choices=[*CANDIDATES], help="beside random")
    parser.add_argument(
        "--latest", type=int, default=search.policy.samplers.window.LATEST, help="trials TPE sees"
    )
    parser.add_argument("--record", type=Path, help="journal of a study to take curves from")
    given = parser.parse_args()
    if given.seeds < 2:
        parser.error("--seeds must be 2 or more: a standard error is printed")
    if given.record:
        record(given.record)
        return 0
    search.policy.samplers.window.LATEST = given.latest
    landscape, correlation = fit()
    optimum = optimum_of(landscape)
    print(f"landscape: rank correlation {correlation:.2f} on curves unseen; optimum {optimum:.4f}")
    usual = [name for name in CANDIDATES if given.times == 1 or name != "gp"]
    samplers = list(dict.fromkeys(["random", *([given.only] if given.only else usual)]))
    settings = settings_of(3 if given.quick else given.seeds, given.times, samplers)
    with get_context("fork").Pool(2, _take, (landscape,)) as pool:
        simulated = partial(_simulate_with, 4 if given.times == 1 else 8)
        leaders = pool.map(simulated, settings, chunksize=1)
    found: dict[tuple[int, float], dict[tuple[str, bool], list[list[float]]]] = {}
    for setting, leading in zip(settings, leaders, strict=True):
        rows = found.setdefault((setting.workers, setting.seconds), {})
        rows.setdefault((setting.sampler, setting.asha), []).append(leading)
    figures: dict[str, Figure] = {}
    for (workers, seconds), rows in found.items():
        regrets = {key: 100 * (optimum - np.array(row)) for key, row in rows.items()}
        figures |= tabulate(workers, seconds, regrets)
    return conclude("samplers", figures, given.quick)


if __name__ == "__main__":
    sys.exit(main())
