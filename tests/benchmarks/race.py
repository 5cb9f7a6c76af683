"""Twenty minutes of seqtune beside twenty minutes of what one would write instead, on one machine.

``python tests/benchmarks/race.py [--minutes 20] [--quick] [--plot FILE.png]``. In turn, over the
same space, split and reviews, from the same first point: ``seqtune run imdb``; the lecture's loop,
one trial after another chosen by Optuna, on all cores; and Ray Tune's own OptunaSearch and
ASHAScheduler with a trainable of the lecture's model, a core each. The rivals pad to 500 tokens and
compute in float32. Every side's best model is scored again on 2,500 reviews that no search has
seen.

Shapes: B texts, T tokens.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lecture import LSTMModel, accuracy, padded, train_epoch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader
from verdict import Figure, conclude

from search.sampler import Sampler
from search.spec import find_study_file, read_toml, resolve
from trainables.data.corpus import default_cache, prepare

SIDES = ("seqtune", "lecture", "ray")
MARKS = (1, 2, 3, 5, 8, 12, 16, 20)
MAX_EPOCHS, REDUCTION = 10, 3
SPEC = resolve(read_toml(find_study_file("imdb")), "imdb")
#: With what the study's own first trial draws for all that its file leaves open.
FIRST = Sampler(SPEC).suggest(0).params


def build(params: dict[str, Any], vocabulary: int) -> LSTMModel:
    """The lecture's model with these hyperparameters."""
    names = ("embedding_dim", "hidden_size", "num_layers", "dropout")
    return LSTMModel(vocabulary, *(params[name] for name in names))


def keep_best(folder: Path, value: float, params: dict[str, Any], model: LSTMModel) -> None:
    """Stores a model that leads, to be scored when the clock has stopped."""
    name = f"{value:.6f}.safetensors"
    if all(path.name < name for path in folder.glob("*.safetensors")):
        save_file(model.state_dict(), folder / name, {"params": json.dumps(params)})


def score_best(folder: Path) -> float:
    """Accuracy of the leading model on the part that no search reads."""
    path = max(folder.glob("*.safetensors"))
    with safe_open(path, "pt") as file:
        params = json.loads(file.metadata()["params"])
    corpus = prepare(SPEC.data, default_cache())
    model = build(params, corpus.vocabulary)
    model.load_state_dict(load_file(path))
    return accuracy(model, DataLoader(padded(corpus.part("test")), batch_size=500))


class Contest:
    """The lecture's model and loop over the corpus, until a moment of the clock."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.corpus = prepare(SPEC.data, default_cache())
        self.parts = {name: padded(self.corpus.part(name)) for name in ("train", "validation")}

    def epochs(self, params: dict[str, Any]) -> Iterator[tuple[float, LSTMModel]]:
        """Validation accuracy after each epoch, and the model."""
        model = build(params, self.corpus.vocabulary)
        optimizer = torch.optim.Adam(
            model.parameters(), lr=params["learning_rate"], weight_decay=params["weight_decay"]
        )
        size = params["batch_size"]
        train = DataLoader(self.parts["train"], batch_size=size, shuffle=True)
        validation = DataLoader(self.parts["validation"], batch_size=500)
        for _ in range(MAX_EPOCHS):
            for _ in train_epoch(model, train, optimizer):
                if time.time() > self.deadline:
                    return
            value = accuracy(model, validation)
            if time.time() > self.deadline:
                return
            yield value, model


def run_lecture(seconds: float, out: Path) -> None:
    """One trial after another, every one to its last epoch, on all cores."""
    import optuna

    started = time.time()
    contest = Contest(started + seconds)
    study = optuna.create_study(direction="maximize")
    study.enqueue_trial(FIRST)
    with out.open("a") as file:
        while True:
            trial = study.ask()
            params = {
                "embedding_dim": trial.suggest_categorical("embedding_dim", [16, 32, 64, 128]),
                "hidden_size": trial.suggest_categorical("hidden_size", [32, 64, 128]),
                "num_layers": trial.suggest_int("num_layers", 1, 3),
                "dropout": trial.suggest_float("dropout", 0.0, 0.5),
                "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
                "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True),
                "batch_size": trial.suggest_categorical("batch_size", [128, 256, 512]),
            }
            values = []
            for value, model in contest.epochs(params):
                elapsed = time.time() - started
                values.append(value)
                keep_best(out.parent, value, params, model)
                print(json.dumps({"elapsed": elapsed, "value": value}), file=file, flush=True)
            if time.time() > contest.deadline:
                return
            study.tell(trial, max(values))


def run_ray(seconds: float, out: Path) -> None:
    """Ray Tune as its documentation has it, a trial a core."""
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    os.environ["TUNE_DISABLE_STRICT_METRIC_CHECKING"] = "1"  # the clock cuts an epoch short
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    started = time.time()

    def trainable(config: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        for value, model in Contest(started + seconds).epochs(config):
            keep_best(out.parent, value, config, model)
            with out.open("a") as file:
                said = {"elapsed": time.time() - started, "value": value}
                print(json.dumps(said), file=file, flush=True)
            tune.report({"accuracy": value})

    ray.init("local", logging_level="ERROR", include_dashboard=False)
    space = {
        "embedding_dim": tune.choice([16, 32, 64, 128]),
        "hidden_size": tune.choice([32, 64, 128]),
        "num_layers": tune.randint(1, 4),
        "dropout": tune.uniform(0.0, 0.5),
        "learning_rate": tune.loguniform(1e-4, 1e-2),
        "weight_decay": tune.loguniform(1e-6, 1e-2),
        "batch_size": tune.choice([128, 256, 512]),
    }
    cores = os.cpu_count() or 1
    tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(
            metric="accuracy",
            mode="max",
            search_alg=OptunaSearch(points_to_evaluate=[FIRST]),
            scheduler=ASHAScheduler(max_t=MAX_EPOCHS, grace_period=1, reduction_factor=REDUCTION),
            num_samples=-1,
            max_concurrent_trials=cores,
            time_budget_s=seconds,
        ),
        run_config=tune.RunConfig(storage_path=tempfile.mkdtemp(), verbose=0),
    ).fit()


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
                where = folder / "race" / line["checkpoint"]["path"]
                said["unseen"] = score_checkpoint(where, params[line["trial"]])
            print(json.dumps(said), file=file)


def score_checkpoint(path: Path, params: dict[str, Any]) -> float:
    """Accuracy of a stored trial of ``imdb`` on the part that no search reads."""
    from trainables.core.batching import TextReader
    from trainables.core.task import ModelEnds
    from trainables.core.trainer import Trainer, TrainerSettings
    from trainables.tasks import find_task

    spec, corpus = SPEC, prepare(SPEC.data, default_cache())
    h = spec.hyperparameters(params, {})
    train, unseen = (
        TextReader(corpus.part(part), spec.data.max_tokens, spec.data.keep)
        for part in ("train", "test")
    )
    task = find_task(spec.task).load()(
        h, ModelEnds(corpus.vocabulary, corpus.classes, train.part.labels)
    )
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
    prepare(SPEC.data, default_cache())
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
