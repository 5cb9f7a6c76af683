"""What one would write instead of seqtune, for ``race.py``: the lecture's loop of Optuna's trials,
and Ray Tune as its documentation has it; both with the lecture's model over ``imdb``'s space and
split.
"""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from lecture import LSTMModel, accuracy, padded, train_epoch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from studies import created
from torch.utils.data import DataLoader

from search.journal.state import replay
from search.policy.samplers.registry import TrialChooser
from search.spec.resolve import resolve
from search.spec.study import find_study_file, read_toml
from trainables.data.corpus import prepare
from trainables.data.spec import DataSpec
from trainables.storage import default_cache

MAX_EPOCHS, REDUCTION = 10, 3
SPEC = resolve(read_toml(find_study_file("imdb")), "imdb")
DATA = DataSpec(**SPEC.inputs["data"])
#: With what the study's own first trial draws for all that its file leaves open.
FIRST = TrialChooser().choose(replay([created(SPEC)])).params


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
    corpus = prepare(DATA, default_cache())
    model = build(params, corpus.vocabulary)
    model.load_state_dict(load_file(path))
    return accuracy(model, DataLoader(padded(corpus.part("test")), batch_size=500))


class Contest:
    """The lecture's model and loop over the corpus, until a moment of the clock."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.corpus = prepare(DATA, default_cache())
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
