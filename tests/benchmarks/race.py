"""Twenty minutes of seqtune beside twenty minutes of what one would write instead, on one machine.

``python tests/benchmarks/race.py [--minutes 20] [--quick] [--plot FILE.png]``. In turn, over the
same space, split and reviews, from the same first point: ``seqtune run imdb``; the lecture's loop,
one trial after another chosen by Optuna, on all cores; and Ray Tune's own OptunaSearch and
ASHAScheduler with a trainable of the lecture's model, a core each. The rivals pad to 500 tokens and
compute in float32; their words start as torch starts them. Every side's best model is scored again
on 2,500 reviews that no search has seen.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rivals import DATA, SPEC, run_lecture, run_ray, score_best
from verdict import Figure, conclude

from search.journal.layout import checkpoint_path
from trainables.data.corpus import prepare
from trainables.storage import default_cache

SIDES = ("seqtune", "lecture", "ray")
MARKS = (1, 2, 3, 5, 8, 12, 16, 20)


def run_seqtune(seconds: float, out: Path) -> None:
    """The product; its journal says what was reached when, its best checkpoint is scored."""
    folder = Path(tempfile.mkdtemp())
    started = time.time()
    subprocess.run(
        [
            *(sys.executable, "-m", "search", "run", "imdb", "--name", "race", "--trials", "10000"),
            *("--time-budget", f"{seconds:.0f}s", "--results-dir", str(folder)),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    lines = [json.loads(line) for line in (folder / "race/journal.jsonl").read_text().splitlines()]
    epochs = [line for line in lines if line["event"] == "epoch"]
    params = {line["trial"]: line["params"] for line in lines if line["event"] == "trial"}
    epochs = [line for line in epochs if line["time"] - started <= seconds]
    best = max(epochs, key=lambda line: line["value"] or 0.0)
    with out.open("a") as file:
        for line in epochs:
            said = {"elapsed": line["time"] - started, "value": line["value"] or 0.0}
            if line is best:
                numbers = (line["trial"], line["attempt"], line["epoch"])
                where = folder / "race" / checkpoint_path(*numbers)
                said["unseen"] = score_checkpoint(where, params[line["trial"]])
            print(json.dumps(said), file=file)


def score_checkpoint(path: Path, params: dict[str, Any]) -> float:
    """Accuracy of a stored trial of ``imdb`` on the part that no search reads."""
    from trainables.core.task import TaskContext
    from trainables.core.trainer import Trainer, TrainerSettings
    from trainables.data.text.reader import TextReader
    from trainables.tasks.registry import find_task

    spec, corpus = SPEC, prepare(DATA, default_cache())
    entry = find_task(spec.task)
    h = entry.declaration.hyperparameters(**{**spec.fixed, **params})
    train, unseen = (
        TextReader(corpus.part(part), DATA.max_tokens, DATA.keep) for part in ("train", "test")
    )
    task = entry.load()(h, TaskContext(corpus.vocabulary, corpus.classes, train.part.labels))
    trainer = Trainer(task, h, train, TrainerSettings(0, spec.stopping.max_epochs))
    trainer.load(path)
    return trainer.evaluate(unseen)["accuracy"]


def leading(lines: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """When the best value rose, and to what."""
    best, found = 0.0, []
    for line in sorted(lines, key=lambda line: line["elapsed"]):
        if line["value"] > best:
            best = line["value"]
            found.append((line["elapsed"], best))
    return found


def best_by(rises: list[tuple[float, float]], seconds: float) -> float:
    return max((value for elapsed, value in rises if elapsed <= seconds), default=0.5)


def time_to(rises: list[tuple[float, float]], value: float) -> float:
    """Seconds until a value is equalled; infinite if never."""
    return min((elapsed for elapsed, reached in rises if reached >= value), default=float("inf"))


def plot(rises: dict[str, list[tuple[float, float]]], seconds: float, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    for side, steps in rises.items():
        times = [elapsed / 60 for elapsed, _ in steps] + [seconds / 60]
        values = [value for _, value in steps] + [steps[-1][1]]
        axes.step(times, values, where="post", label=side)
    axes.set(xlabel="minutes", ylabel="best validation accuracy")
    axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three minutes each, judges nothing")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--plot", type=Path, help="where to draw best value over time")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    seconds = 180.0 if given.quick else given.minutes * 60
    if given.side:
        run = {"seqtune": run_seqtune, "lecture": run_lecture, "ray": run_ray}[given.side]
        run(seconds, given.out)
        return 0
    prepare(DATA, default_cache())
    lines, unseen = {}, {}
    for side in SIDES:
        out = Path(tempfile.mkdtemp()) / "lines"
        out.touch()
        command = [sys.executable, __file__, "--side", side, "--out", str(out)]
        command += ["--quick"] if given.quick else ["--minutes", str(given.minutes)]
        subprocess.run(command, check=True)
        lines[side] = [json.loads(line) for line in out.read_text().splitlines()]
        said = [line["unseen"] for line in lines[side] if "unseen" in line]
        unseen[side] = said[0] if said else score_best(out.parent)
    rises = {side: leading(some) for side, some in lines.items()}
    for side in SIDES:
        reached = "  ".join(
            f"{mark} min {best_by(rises[side], mark * 60):.4f}"
            for mark in MARKS
            if mark * 60 <= seconds
        )
        print(
            f"{side:8s} {len(lines[side])} epochs; {reached}; its best, unseen, {unseen[side]:.4f}"
        )
    if given.plot:
        plot(rises, seconds, given.plot)
    figures = {}
    for rival, share in (("lecture", "<=0.125"), ("ray", "<=0.25")):
        taken = time_to(rises["seqtune"], best_by(rises[rival], seconds)) / seconds
        figures[f"share_of_time_to_equal_{rival}"] = Figure(float(np.minimum(taken, 99.0)), share)
        ahead = best_by(rises["seqtune"], seconds) - best_by(rises[rival], seconds)
        figures[f"ahead_of_{rival}"] = Figure(ahead, ">=0.0001")
    return conclude("race", figures, given.quick)


if __name__ == "__main__":
    sys.exit(main())
