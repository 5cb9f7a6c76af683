"""Real trainings: the default search beside random search with ASHA, both in this product.

``python tests/benchmarks/trainings.py [--minutes 10] [--seed 0 1] [--quick]``: over ``imdb-wide``,
and over 20 classes: the sections of 5,600 one-line descriptions of Debian's packages, as apt's
lists on this machine have them. The two ways run side by side, on one core each, one trial at a
time. Printed are the best values by the minute, and after which share of the time one equals the
best that the other comes to.
"""

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import tomli_w
from race import best_by, leading, time_to
from searches import Search
from verdict import Figure, conclude

#: What each way is run with, beside the study and the seed.
WAYS = {
    "default": [],
    "random": ["--set", "search.sampler=random", "--set", "stopping.losers=stop"],
}
MARKS = (1, 2, 3, 5, 8, 10, 15, 20)
CLASSES, PER_CLASS = 20, 280
SECTIONS = Path(__file__).parent / "landscapes/curves/sections.json"


def packages() -> Iterator[tuple[str, str]]:
    """The section and the one-line description of every package that apt knows."""
    said = subprocess.check_output(["apt-cache", "dumpavail"], text=True)
    for paragraph in said.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] > " "
        )
        if "Section" in fields and "Description" in fields:
            yield fields["Section"].rpartition("/")[2], fields["Description"]


def write_sections(folder: Path) -> Path:
    """A study of 20 classes, in the space that ``landscapes`` has recorded with fewer texts."""
    texts = defaultdict[str, set[str]](set)
    for section, description in packages():
        texts[section].add(description)
    largest = sorted(texts, key=lambda section: (-len(texts[section]), section))[:CLASSES]
    rng = random.Random(0)
    rows = [(t, s) for s in sorted(largest) for t in rng.sample(sorted(texts[s]), PER_CLASS)]
    rng.shuffle(rows)
    with (folder / "sections.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    tables = {
        "name": "sections",
        "data": {"source": str(folder / "sections.csv"), "max_tokens": 32},
        "space": json.loads(SECTIONS.read_text(encoding="utf-8"))["study"]["space"],
        "stopping": {"max_epochs": 9, "grace_epochs": 1, "reduction_factor": 3},
    }
    path = folder / "sections.toml"
    path.write_text(tomli_w.dumps(tables))
    return path


def side_by_side(
    folder: Path, study: str, seed: int, seconds: float
) -> dict[str, list[tuple[float, float]]]:
    """Both ways at once: when the best value of each rose, after its first attempt, and to what."""
    name = Path(study).stem
    running = {}
    for core, (way, arguments) in zip(sorted(os.sched_getaffinity(0)), WAYS.items(), strict=False):
        limits = ["--time-budget", f"{seconds:.0f}s", "--trials", "10000", "--seed", str(seed)]
        search = Search(folder, f"{name}-{way}-{seed}", study, *limits, *arguments)
        search.driver.cpu_affinity([core])  # before it looks, and for all that it starts
        running[way] = search
    for search in running.values():
        for _ in search.samples(5.0):
            pass
    return {way: rises(search) for way, search in running.items()}


def rises(search: Search) -> list[tuple[float, float]]:
    lines = search.lines()
    began = next(line["time"] for line in lines if line["event"] == "attempt")
    epochs = [line for line in lines if line["event"] == "epoch"]
    tried = sum(line["event"] == "trial" for line in lines)
    print(f"  {search.journal.parent.name}: {tried} trials, {len(epochs)} epochs", flush=True)
    told = [{"elapsed": e["time"] - began, "value": e["value"] or 0.0} for e in epochs]
    return leading(told)


def compare(study: str, seed: int, seconds: float, folder: Path) -> dict[str, Figure]:
    """One seed of one study, printed."""
    both = side_by_side(folder, study, seed, seconds)
    marks = [mark for mark in MARKS if 60 * mark <= seconds]
    name, figures = f"{Path(study).stem}_{seed}", {}
    for way, other in (("default", "random"), ("random", "default")):
        best = best_by(both[way], seconds + 60)
        share = time_to(both[way], best_by(both[other], seconds + 60)) / seconds
        by_minute = "  ".join(f"{mark} min {best_by(both[way], 60 * mark):.4f}" for mark in marks)
        when = "never" if share == float("inf") else f"after {share:.0%} of the time"
        print(f"{name} {way:7s} {by_minute}; the other's best equalled {when}", flush=True)
        figures[f"{name}_{way}"] = Figure(best)
        figures[f"{name}_{way}_share_of_time_to_others_best"] = Figure(min(share, 99.0))
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute, one seed")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1])
    given = parser.parse_args()
    minutes, seeds = (1.0, [0]) if given.quick else (given.minutes, given.seed)
    if len(os.sched_getaffinity(0)) < len(WAYS):
        parser.error("it takes a core for each way")
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory(prefix="seqtune-trainings-") as place:
        folder = Path(place)
        for study in ("imdb-wide", str(write_sections(folder))):
            prepare = [sys.executable, "-m", "search", "run", study, "--dry-run"]
            subprocess.run(prepare, check=True, stdout=subprocess.DEVNULL)
            for seed in seeds:
                figures |= compare(study, seed, 60 * minutes, folder)
    return conclude("trainings", figures, given.quick)


if __name__ == "__main__":
    sys.exit(main())
