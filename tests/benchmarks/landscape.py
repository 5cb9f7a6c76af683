"""How any configuration of ``rotten-tomatoes`` would learn, from recorded trials of its space.

``curves.json`` holds real trials, random and trained to their last epoch. Gaussian processes fitted
to them say how a configuration would learn and how long its epochs would take; the noise is what
they left unexplained of trials that they had not seen.

What is searched for is the area under the ROC curve. By accuracy nobody could be judged here: the
best epochs of 260 random configurations have a standard deviation of 0.85 points of it, and nothing
that was fitted to them explained a tenth of their variance; of the area's, half is explained.
"""

import json
import math
import statistics
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from search.driver.changes import declared
from search.journal.journal import read_events
from search.journal.state import replay
from search.policy.samplers.optuna_adapter import to_distributions
from search.spec.resolve import resolve
from search.spec.space import parse_space
from search.spec.study import find_study_file, read_toml

CURVES = Path(__file__).with_name("curves.json")
METRIC = "val/auc"
CHOICES = {"pooling": ["last", "mean", "max", "concat"]}
LOGARITHMIC = ("learning_rate", "weight_decay", "embedding_dim", "hidden_size", "batch_size")


def record(journal: Path) -> None:
    """Writes the curves of a study's completed trials."""
    state = replay(read_events(journal))
    trials = [
        {
            "params": {
                k: float(f"{v:.5g}") if isinstance(v, float) else v for k, v in t.params.items()
            },
            "values": [round(e.metrics[METRIC] or 0.0, 4) for e in t.epochs],
            "seconds": [round(e.seconds, 2) for e in t.epochs],
        }
        for t in state.trials
        if t.state == "completed"
    ]
    lines = ",\n".join(json.dumps(trial, separators=(",", ":")) for trial in trials)
    CURVES.write_text(f"[\n{lines}\n]\n")
    print(f"{len(trials)} curves in {CURVES}")


def features(params: dict[str, Any]) -> list[float]:
    """Numbers a regression can use."""
    found = []
    for name, value in sorted(params.items()):
        if name in CHOICES:
            found += [float(value == choice) for choice in CHOICES[name]]
        else:
            found.append(math.log(value) if name in LOGARITHMIC else float(value))
    return found


def regressor() -> Pipeline:
    """A Gaussian process with a length of its own for every feature, of one standard deviation at
    least, or it would learn the noise by heart; at the upper bound a feature counts for nothing.
    Neither is a cause for a warning."""
    warnings.filterwarnings("ignore", ".*specified (upper|lower) bound", ConvergenceWarning)
    width = len(features(json.loads(CURVES.read_text())[0]["params"]))
    kernel = Matern(np.full(width, 3.0), (1.0, 100.0), nu=2.5) + WhiteKernel(0.1)
    return make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel, normalize_y=True))


def learner() -> TransformedTargetRegressor:
    """The same for an epoch's metric, spread as a normal distribution is: few configurations have
    hardly begun to learn, and a process that has to reach them would overshoot elsewhere."""
    spread = QuantileTransformer(n_quantiles=100, output_distribution="normal")
    return TransformedTargetRegressor(regressor(), transformer=spread)


@dataclass(frozen=True)
class Landscape:
    """How configurations learn: the mean metric after each epoch, seconds an epoch, the noise."""

    epochs: tuple[TransformedTargetRegressor, ...]
    pace: Pipeline
    noise: NDArray[np.float64]

    def curve(self, params: dict[str, Any]) -> tuple[NDArray[np.float64], float]:
        """The mean metric after each epoch, and seconds an epoch."""
        x = [features(params)]
        means = np.array([float(epoch.predict(x)[0]) for epoch in self.epochs])
        return means, math.exp(float(self.pace.predict(x)[0]))


def fit() -> tuple[Landscape, float]:
    """The landscape, and the rank correlation of curves' best values with those it gives to curves
    it has not seen."""
    trials = json.loads(CURVES.read_text())
    x = np.array([features(trial["params"]) for trial in trials])
    seconds = np.log([statistics.median(trial["seconds"]) for trial in trials])
    values = np.array([trial["values"] for trial in trials])
    unseen = np.column_stack([cross_val_predict(learner(), x, y, cv=5) for y in values.T])
    ranks = [np.argsort(np.argsort(v.max(axis=1))) for v in (values, unseen)]
    landscape = Landscape(
        tuple(learner().fit(x, y) for y in values.T), regressor().fit(x, seconds), values - unseen
    )
    return landscape, float(np.corrcoef(*ranks)[0, 1])


def optimum_of(landscape: Landscape) -> float:
    """The best mean value among 20,000 random configurations."""
    spec = resolve(read_toml(find_study_file("rotten-tomatoes")), "rotten-tomatoes")
    distributions = to_distributions(parse_space(spec.space, declared(spec)))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [study.ask(distributions).params for _ in range(20_000)]
    x = [features(params) for params in drawn]
    return float(max(epoch.predict(x).max() for epoch in landscape.epochs))
