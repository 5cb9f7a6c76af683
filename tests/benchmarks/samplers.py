"""Which way of searching finds good configurations soonest: searches simulated on learning curves.

``python tests/benchmarks/samplers.py [--quick] [--full] [--on develop]``. Landscapes are our own
recorded searches (``--on recorded``: they alone) and LCBench's tasks that are kept for judging
(``landscapes/``). Every way gets the same seeds, and two full trainings a worker of time. Regret is
0 for the best of 400 random configurations, 1 for their median. ``--keep FILE`` goes on where a run
was broken off. ``--record NAME JOURNAL…`` makes a landscape of a study whose trials are random and
were trained to their ends, and of others that train some of them again.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from landscapes.base import Array, Landscape
from landscapes.lcbench import DEVELOP, JUDGE, LcbenchTask
from landscapes.recorded import RECORDED, RecordedSearch, record
from optuna.samplers import TPESampler
from scipy.special import stdtrit
from simulation import HORIZON, MARKS, Setting, keep_the_best, simulate
from threadpoolctl import threadpool_limits
from verdict import Figure, conclude

from search.policy.samplers.optuna_adapter import OptunaSampler
from search.policy.samplers.registry import SAMPLERS
from search.policy.samplers.window import RecentTrialsStorage
from search.policy.seeds import derive_seed

DEFAULT, REFERENCE = "default", "random + ASHA"

#: Stopping as Ray Tune's ASHA has it: what was stopped is over.
_ASHA = {"losers": "stop"}

#: The ways to search: a sampler, and what of ``[stopping]`` is not as by default.
WAYS: dict[str, tuple[str, dict[str, Any]] | None] = {
    DEFAULT: ("auto", {}),
    REFERENCE: ("random", _ASHA),
    "random + pausing": ("random", {}),
    "auto + ASHA": ("auto", _ASHA),
    "TPE + ASHA": ("tpe", _ASHA),
    "Optuna's default + ASHA": ("optuna", _ASHA),
    "keep the best": None,
}

#: Those of them that are others' ways. The rest is for the record: half of what the default does.
_BASELINES = (REFERENCE, "TPE + ASHA", "Optuna's default + ASHA", "keep the best")

#: In so many comparisons of equals one of them is surely behind, by chance.
_CHANCE = 0.025

#: LCBench's tasks to search beside the recorded landscapes.
_TASKS = {"judge": JUDGE, "develop": DEVELOP, "recorded": ()}

#: So many workers are many: there a search takes seconds to simulate, and only the default is
#: compared with the reference.
_MANY = 64

#: How many searches of each kind, by the number of workers.
_SEEDS, _QUICK, _FULL = {2: 20, 8: 8, _MANY: 2}, 2, 20

SAMPLERS["optuna"] = lambda: OptunaSampler(
    lambda seed, state: TPESampler(seed=seed), lambda state: RecentTrialsStorage()
)


class Job(NamedTuple):
    """One search to simulate."""

    landscape: str
    way: str
    workers: int
    seed: int
    horizon: float


@cache
def _landscape(name: str) -> Landscape:
    return RecordedSearch(name) if name in RECORDED else LcbenchTask(name)


def _run(job: Job) -> tuple[Job, list[float]]:
    return job, regrets_of(job)


def regrets_of(job: Job) -> list[float]:
    """Simulate one search."""
    way, landscape = WAYS[job.way], _landscape(job.landscape)
    # Another seed for each landscape, or all would begin with the same few configurations.
    seed = derive_seed(job.seed, job.landscape, 0)
    if way is None:
        return keep_the_best(landscape, Setting("random", job.workers, seed, {}, job.horizon))
    sampler, stopping = way
    return simulate(landscape, Setting(sampler, job.workers, seed, stopping, job.horizon))


def _ready() -> None:
    """Two processes that each use all cores stand in each other's way."""
    threadpool_limits(1)
    torch.set_num_threads(1)


#: Regrets by landscape, S seeds and M marks: r_SM.
Regrets = dict[str, Array]


def mean(regrets: Regrets) -> Array:
    """Return the mean over landscapes, r_M."""
    return np.asarray(np.mean([r_SM.mean(axis=0) for r_SM in regrets.values()], axis=0))


def error(regrets: Regrets) -> Array:
    """Return the standard error of the mean over these landscapes, from the seeds alone."""
    errors = [_error(r_SM) for r_SM in regrets.values()]
    return np.asarray(np.linalg.norm(errors, axis=0) / len(errors))


def _error(r_SM: Array) -> Array:
    """Return the standard error of the mean over seeds, e_M."""
    return np.asarray(r_SM.std(axis=0, ddof=1) / math.sqrt(len(r_SM)))


def drawn_again(
    of: Regrets, beside: Regrets, statistic: Callable[[Array, Array], Array], draws: int = 2000
) -> Array:
    """Return the 2.5th and 97.5th percentiles of a statistic of both means, over landscapes and
    seeds that are drawn again with replacement (Efron 1979)."""
    rng, names = np.random.default_rng(0), list(of)
    found = []
    for _ in range(draws):
        means = []
        for name in rng.choice(names, len(names)):
            seeds = rng.integers(len(of[name]), size=len(of[name]))
            means.append((of[name][seeds].mean(axis=0), beside[name][seeds].mean(axis=0)))
        found.append(statistic(*np.mean(means, axis=0)))
    return np.asarray(np.percentile(found, (2.5, 97.5), axis=0))


def tabulate(title: str, ways: dict[str, Regrets]) -> None:
    """Print the mean regrets of every way, and their ratios to the reference's.

    What has an error of more than a tenth of the reference's regret shows nothing: it has a ``?``.
    """
    marks = ", ".join(f"{mark:g}" for mark in MARKS)
    print(f"\n{title}: mean regret after {marks} of the time (?: uncertain)")
    reference = mean(ways[REFERENCE])
    for name, regrets in sorted(ways.items(), key=lambda item: mean(item[1])[-1]):
        means, errors = mean(regrets), error(regrets)
        shown = errors <= 0.1 * np.maximum(reference, 1e-9)
        cells = "  ".join(
            f"{m:6.3f} ±{e:.3f}{' ' if ok else '?'}"
            for m, e, ok in zip(means, errors, shown, strict=True)
        )
        ratios = "  ".join(f"{ratio:5.2f}" for ratio in means / reference)
        print(f"  {name:26s} {cells}   {ratios}")


def judge(workers: int, ways: dict[str, Regrets]) -> dict[str, Figure]:
    """Return what is asked of the default on tasks that are kept for judging.

    With many workers both may be ahead of the best random configuration, so that a ratio of their
    regrets says nothing: there the difference counts.
    """
    default, reference = ways[DEFAULT], ways[REFERENCE]
    above, highest = drawn_again(default, reference, lambda a, b: a - b)
    if workers >= _MANY:
        apart = float(mean(default)[-1] - mean(reference)[-1])
        print(f"  default less {REFERENCE} at the end: {apart:+.3f}, at most {highest[-1]:+.3f}")
        return {f"above_{workers}": Figure(apart, "<=0")}
    ratio = float(mean(default)[-1] / mean(reference)[-1])
    upper = float(drawn_again(default, reference, lambda a, b: a / b)[1][-1])
    figures = {
        f"ratio_{workers}": Figure(ratio, "<=0.6"),
        f"ratio_{workers}_upper": Figure(upper, "<=0.8"),
    }
    for mark, lower in zip(MARKS[:-1], above[:-1], strict=True):
        figures[f"surely_above_{workers}_at_{mark:g}"] = Figure(float(lower), "<=0")
    print(f"  default / {REFERENCE} at the end: {ratio:.2f}, at most {upper:.2f}")
    return figures


def behind(workers: int, ways: dict[str, Regrets]) -> dict[str, Figure]:
    """Print where the default is surely behind a baseline: on one landscape after one part of the
    time, by pairs of seeds (Student's t). Return in which share of all such comparisons it is."""
    found, compared = list[str](), 0
    for way, name in product([way for way in _BASELINES if way in ways], ways[DEFAULT]):
        apart_SM = ways[DEFAULT][name] - ways[way][name]
        surely = float(stdtrit(len(apart_SM) - 1, 1.0 - _CHANCE))
        for mark, by, e in zip(MARKS, apart_SM.mean(axis=0), _error(apart_SM), strict=True):
            compared += 1
            if by > surely * e + 1e-9:
                found.append(f"  {name}, after {mark:g}, behind {way} by {by:.3f} ±{e:.3f}")
    said = f"default surely behind in {len(found)} of {compared} comparisons"
    print(f"\n{workers} workers: {said}, one landscape each", *sorted(found), sep="\n")
    return {f"behind_{workers}": Figure(len(found) / max(compared, 1), f"<={_CHANCE}")}


def jobs_of(given: argparse.Namespace) -> list[Job]:
    """Every search to simulate; long ones first, so that both processes end together."""
    landscapes = [*_TASKS[given.on][: 3 if given.quick else None], *RECORDED]
    return [
        Job(landscape, way, workers, seed, given.horizon)
        for workers in sorted(given.workers, reverse=True)
        for landscape in landscapes
        for way in _ways(given, workers)
        for seed in range(_seeds(given, workers))
    ]


def _ways(given: argparse.Namespace, workers: int) -> list[str]:
    few = (DEFAULT, REFERENCE) if workers >= _MANY else (DEFAULT, *_BASELINES)
    return given.only or list(WAYS if given.full else few)


def _seeds(given: argparse.Namespace, workers: int) -> int:
    by_kind = _QUICK if given.quick else _FULL if given.full else _SEEDS.get(workers, _QUICK)
    return int(given.seeds or by_kind)


def simulated(jobs: list[Job], keep: Path | None) -> list[list[float]]:
    """Simulate all searches in two processes, and return their regrets.

    Those in the file ``keep`` are taken from there, and the others added to it as they end.
    """
    lines = keep.read_text(encoding="utf-8").splitlines() if keep and keep.exists() else []
    known = {Job(*job): regrets for job, regrets in map(json.loads, lines)}
    for name in {job.landscape for job in jobs if job not in known}:
        _ = _landscape(name).scale  # which both processes take over
    with get_context("fork").Pool(2, _ready) as pool:
        left = [job for job in jobs if job not in known]
        for job, regrets in pool.imap_unordered(_run, left):
            known[job] = regrets
            if keep:
                with keep.open("a", encoding="utf-8") as file:
                    print(json.dumps([job, regrets]), file=file)
    return [known[job] for job in jobs]


def collect(jobs: list[Job], found: list[list[float]]) -> dict[int, dict[str, Regrets]]:
    """Return the regrets by number of workers and way."""
    rows: dict[int, dict[str, dict[str, list[list[float]]]]] = {}
    for job, regrets in zip(jobs, found, strict=True):
        of_way = rows.setdefault(job.workers, {}).setdefault(job.way, {})
        of_way.setdefault(job.landscape, []).append(regrets)
    return {
        workers: {
            way: {name: np.array(seeds) for name, seeds in of.items()} for way, of in ways.items()
        }
        for workers, ways in rows.items()
    }


def tell(workers: int, ways: dict[str, Regrets], on: str) -> dict[str, Figure]:
    """Print what came of one number of workers; return what of it is judged."""
    for landscape in RECORDED:
        chosen = {way: {landscape: of[landscape]} for way, of in ways.items()}
        tabulate(f"{workers} workers, {landscape}", chosen)
    figures = behind(workers, ways) if DEFAULT in ways and workers < _MANY else {}
    tasks = {way: {n: r for n, r in of.items() if n not in RECORDED} for way, of in ways.items()}
    if _TASKS[on]:
        tabulate(f"{workers} workers, LCBench ({on})", tasks)
        figures |= judge(workers, tasks) if DEFAULT in tasks else {}
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few searches, judges nothing")
    parser.add_argument("--full", action="store_true", help="20 seeds of every way: hours")
    parser.add_argument("--on", choices=[*_TASKS], default="judge")
    parser.add_argument("--workers", type=int, nargs="*", default=[2, 8, 64])
    parser.add_argument("--seeds", type=int, help="searches of each kind, two or more")
    parser.add_argument("--only", nargs="*", choices=[*WAYS], help="with the reference among them")
    parser.add_argument("--horizon", type=float, default=HORIZON, help="full trainings a worker")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="regrets of searches simulated")
    parser.add_argument("--record", nargs="+", metavar="NAME JOURNAL", help="and those of reruns")
    given = parser.parse_args()
    if given.record:
        print(record([Path(journal) for journal in given.record[1:]], given.record[0]))
        return 0
    _ready()  # here too, where landscapes are made
    for name in RECORDED:
        landscape = _landscape(name)
        assert isinstance(landscape, RecordedSearch)
        print(f"{name}: rank correlation {landscape.correlation:.2f} on curves unseen")
    jobs = jobs_of(given)
    table = collect(jobs, simulated(jobs, given.keep))
    figures: dict[str, Figure] = {}
    for workers in given.workers:
        figures |= tell(workers, table[workers], given.on)
    return conclude("samplers", figures, given.quick or given.on != "judge")


if __name__ == "__main__":
    sys.exit(main())
