"""Whether a search knows what it has left to gain: foretold gains beside those that came.

``python tests/benchmarks/outlook.py [--quick] [--on develop]``. Searches are simulated as in
``samplers.py``. After a quarter and half of the time the outlook is taken, and compared with what
the rest brought by the landscape itself, without noise: how much better the configuration that
leads at the end is than the one that led then. Judged are the mean of both and how often the
interval holds what came; the leader is judged by how often its interval holds its true value, and
by its value beside that of the best trial.
"""

import argparse
import sys
from functools import cache
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
from landscapes.base import Landscape
from landscapes.lcbench import DEVELOP, JUDGE, LcbenchTask
from landscapes.recorded import RECORDED, RecordedSearch
from samplers import _ready
from simulation import Setting, foretell
from verdict import Figure, conclude

from search.policy.seeds import derive_seed


class Job(NamedTuple):
    """One search to simulate."""

    landscape: str
    workers: int
    seed: int


@cache
def _landscape(name: str) -> Landscape:
    return RecordedSearch(name) if name in RECORDED else LcbenchTask(name)


def _run(job: Job) -> list[dict[str, float]]:
    seed = derive_seed(job.seed, job.landscape, 0)
    setting = Setting("auto", job.workers, seed, {}, 2.0 if job.workers < 8 else 4.0)
    return foretell(_landscape(job.landscape), setting)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few searches, judges nothing")
    parser.add_argument("--on", choices=["develop", "judge"], default="judge")
    parser.add_argument("--seeds", type=int, default=4)
    given = parser.parse_args()
    tasks = list(DEVELOP if given.on == "develop" else JUDGE)
    landscapes = [*tasks[: 2 if given.quick else None], *RECORDED[: 1 if given.quick else None]]
    jobs = [
        Job(landscape, workers, seed)
        for landscape in landscapes
        for workers in (8, 2)
        for seed in range(1 if given.quick else given.seeds)
    ]
    with get_context("fork").Pool(2, _ready) as pool:
        found = pool.map(_run, jobs, chunksize=1)
    rows = [(job, row) for job, of in zip(jobs, found, strict=True) for row in of]
    for kind, names in (("LCBench", tasks), ("recorded", RECORDED)):
        for workers in (2, 8):
            of = [row for job, row in rows if job.landscape in names and job.workers == workers]
            if of:
                print(f"{kind}, {workers} workers: " + _words(of))
    every = [row for _, row in rows]
    figures = {
        "gain_ratio": Figure(_ratio(every), ">=0.5"),
        "gain_ratio_most": Figure(_ratio(every), "<=2"),
        "gain_covered": Figure(_share(every, "covered"), ">=0.9"),
        "leader_covered": Figure(_share(every, "leader_covered"), ">=0.9"),
    }
    return conclude("outlook", figures, given.quick or given.on == "develop")


def _words(rows: list[dict[str, float]]) -> str:
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    truly = [row["leader_best"] for row in rows]
    return (
        f"{len(rows)} outlooks: gain foretold {means['gain']:.4f}, came {means['came']:.4f}, "
        f"within the interval {means['covered']:.0%}; leader's own value within two errors "
        f"{means['leader_covered']:.0%}, truly the best of the tried {np.mean(truly):.0%}, said "
        f"{means['chance']:.0%}; regret of the leader less the best trial's {means['beside']:+.4f}"
    )


def _ratio(rows: list[dict[str, float]]) -> float:
    return float(np.mean([r["gain"] for r in rows]) / np.mean([r["came"] for r in rows]))


def _share(rows: list[dict[str, float]], name: str) -> float:
    return float(np.mean([row[name] for row in rows]))


if __name__ == "__main__":
    sys.exit(main())
