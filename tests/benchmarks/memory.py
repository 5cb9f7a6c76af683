"""What trials and the driver take of memory, seen from outside while real searches run.

``python tests/benchmarks/memory.py [--quick]``: eight small trials at once over ``imdb``, beside a
bare Ray worker that has imported torch and nothing else; the largest configuration of ``imdb``; and
the driver from its 100th ended trial to its last. Linux only: it reads /proc.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
from searches import Search, write_idle_study
from verdict import Figure, conclude, spread

from search.driver.capacity import memory_needed
from search.driver.plan import Options, new_study
from search.driver.preparation import prepare_study
from search.spec.resolve import resolve
from search.spec.study import find_study_file, read_toml
from trainables.data.corpus import prepare
from trainables.data.spec import DataSpec
from trainables.storage import default_cache

TRIALS = 8
SHORT = 64
MEGABYTE = 10**6

#: The corner of the space of ``imdb``, on some of its texts.
LARGEST = {
    "embedding_dim": "128",
    "hidden_size": "128",
    "num_layers": "3",
    "dropout": "0.5",
    "learning_rate": "1e-3",
    "weight_decay": "1e-3",
    "batch_size": "512",
}

#: One of next to nothing, whose estimate is that of a bare worker.
SMALL = {"embedding_dim": "16", "hidden_size": "16", "num_layers": "1", "batch_size": "8"}

#: Two of them, or the pages of torch's libraries would be private to the only one.
_BARE = """
import psutil, ray
ray.init("local", num_cpus=2, include_dashboard=False, logging_level="ERROR")
@ray.remote
class Bare:
    def begin(self):
        import torch
        from ray import tune
    def private(self):
        return psutil.Process().memory_full_info().uss
workers = [Bare.remote() for _ in range(2)]
ray.get([worker.begin.remote() for worker in workers])
print(ray.get(workers[0].private.remote()))
"""


def bare_worker() -> int:
    """Private bytes of a worker that has imported torch and Ray Tune."""
    out = subprocess.run(
        [sys.executable, "-c", _BARE], capture_output=True, text=True, check=True
    ).stdout
    return int(out.split()[-1])


def settings(choices: dict[str, str]) -> list[str]:
    return [part for name, value in choices.items() for part in ("--set", f"fixed.{name}={value}")]


def eight_trials(folder: Path, seconds: float) -> tuple[list[int], float]:
    """Private bytes of each of eight trials that train together, and how many copies of the
    corpus's pages all of them hold."""
    spec = resolve(read_toml(find_study_file("imdb")), "imdb")
    ids = prepare(DataSpec(**spec.inputs["data"]), default_cache()).path / "train" / "ids.npy"
    small = {"hidden_size": "16", "batch_size": "8", "embedding_dim": "16"}
    short = ("--set", f"data.max_tokens={SHORT}")  # or an epoch of eight at once takes too long
    search = Search(
        folder,
        "eight",
        "imdb",
        *("--trials", str(TRIALS), "--max-concurrent", str(TRIALS)),
        *("--time-budget", f"{seconds:.0f}s"),
        *short,
        *settings(small),
    )
    private: dict[int, int] = {}
    copies = 0.0
    for _ in search.samples(2.0):
        pages: dict[int, int] = {}
        for process in search.trial_processes():
            for found in _maps(process):
                if found.path == str(ids):
                    pages[process.pid] = found.pss
                    with suppress(psutil.NoSuchProcess):
                        used = process.memory_full_info().uss
                        private[process.pid] = max(private.get(process.pid, 0), used)
        copies = max(copies, sum(pages.values()) / ids.stat().st_size)
    if len({line["trial"] for line in search.lines() if line["event"] == "epoch"}) < TRIALS:
        raise RuntimeError("not every trial has finished an epoch: give them longer")
    return list(private.values()), copies


def _maps(process: psutil.Process) -> list:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return process.memory_maps()
    return []


def peak_of(folder: Path, name: str, choices: dict[str, str], rows: int) -> tuple[int, int]:
    """Resident bytes at the peak of the process that trains a configuration of ``imdb``, and the
    bytes that a search reckons with."""
    short = [f"data.limit={rows}", "stopping.max_epochs=1", "stopping.grace_epochs=1"]
    set_ = [f"fixed.{key}={value}" for key, value in choices.items()] + short
    search = Search(folder, name, "imdb", "--trials", "1", *(f"--set={one}" for one in set_))
    given = Options(settings=tuple(set_))
    spec = new_study("imdb", given)
    reckoned = memory_needed(spec, prepare_study(spec, default_cache()))
    peak = 0
    for _ in search.samples():
        for process in search.trial_processes():
            with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                status = Path(f"/proc/{process.pid}/status").read_text()
                _, found, size = status.partition("VmHWM:")
                peak = max(peak, int(size.split()[0]) << 10) if found else peak
    return peak, reckoned


def driver_growth(folder: Path, trials: int) -> int:
    """Bytes that the driver gains between its 100th ended trial, or its tenth share of them, and
    its last."""
    limits = ["--trials", str(trials), "--set", "search.sampler=random"]
    search = Search(folder, "many", str(write_idle_study(folder)), *limits)
    samples = [s for s in search.samples() if s.ended >= min(100, trials // 10)]
    return samples[-1].resident - samples[0].resident


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter, judges nothing")
    quick = parser.parse_args().quick
    seconds, rows, trials = (240.0, 700, 100) if quick else (360.0, 4000, 2000)
    with tempfile.TemporaryDirectory(prefix="seqtune-memory-") as place:
        folder = Path(place)
        bare = bare_worker()
        private, copies = eight_trials(folder, seconds)
        peak, reckoned = peak_of(folder, "largest", LARGEST, rows)
        small, small_reckoned = peak_of(folder, "small", SMALL, rows)
        growth = driver_growth(folder, trials)
    extra = [(bytes_ - bare) / MEGABYTE for bytes_ in private]
    print(
        f"bare worker {bare / MEGABYTE:.0f} MB private; {len(private)} trials "
        f"{spread(extra, 0)} MB above it; "
        f"{copies:.2f} copies of the corpus; largest configuration {peak / MEGABYTE:,.0f} MB, of "
        f"{reckoned / MEGABYTE:,.0f} reckoned with; a small one {small / MEGABYTE:,.0f} of "
        f"{small_reckoned / MEGABYTE:,.0f}; "
        f"driver {growth / MEGABYTE:+.0f} MB over {trials} trials"
    )
    figures = {
        "private_mb_per_further_trial": Figure(statistics.mean(extra), "<=60"),
        "copies_of_the_corpus": Figure(copies, "<=1.05"),
        "largest_imdb_gb": Figure(peak / 10**9, "<=1.5"),
        "largest_reckoned_over_taken": Figure(reckoned / peak, ">=1"),
        "small_reckoned_over_taken": Figure(small_reckoned / small, ">=1"),
        "driver_growth_mb": Figure(growth / MEGABYTE, "<=100"),
    }
    return conclude("memory", figures, quick)


if __name__ == "__main__":
    sys.exit(main())
