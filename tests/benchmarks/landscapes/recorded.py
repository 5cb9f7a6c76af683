"""How any configuration would learn, from recorded trials of a real search of this product.

A file of ``curves/`` holds a study's tables and its trials, which were random and trained to their
last epoch. Gaussian processes fitted to them say how a configuration would learn and how long its
epochs would take. Some of the configurations were trained again with another seed: by how much the
two curves differ, of configurations that are better than most, is the noise. (A bad one's two may
be far apart, and a search over all would be decided by luck.)

The searches: ``rotten-tomatoes``, the built-in study; ``few-reviews`` and ``wide`` over 1,400 of
``imdb``'s reviews, cut to 60 words, the latter in the space of ``imdb-wide`` with smaller networks;
``sections`` and ``sizes`` over 2,450 one-line descriptions of Debian's packages, whose section of
20, and the logarithm of whose size, are to be told. All had nine epochs.

Legend: N trials, E epochs, F features.
"""

import json
import math
import statistics
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from landscapes.base import Array, Curve, Landscape, Problem
from search.journal.journal import read_events
from search.journal.state import replay
from search.journal.trial import Trial
from search.policy.seeds import derive_seed
from search.spec.study import StoppingSpec

CURVES = Path(__file__).parent / "curves"
RECORDED = tuple(sorted(path.stem for path in CURVES.glob("*.json")))


def record(journals: Sequence[Path], name: str) -> Path:
    """Write the curves of studies' completed trials, and say where.

    The first study's are random. Those after it name trials of the first by ``[[first]]``, and have
    another seed.
    """
    states = [replay(read_events(journal)) for journal in journals]
    spec = states[0].spec
    head = {"metric": spec.metric, "mode": spec.mode, "space": spec.space}
    trials = [_trial(t, spec.metric) for state in states for t in state.trials if _whole(t)]
    lines = ",\n".join(json.dumps(trial, separators=(",", ":")) for trial in trials)
    path = CURVES / f"{name}.json"
    text = f'{{"study":{json.dumps(head)},\n"trials":[\n{lines}\n]}}\n'
    path.write_text(text, encoding="utf-8")
    return path


def _whole(trial: Trial) -> bool:
    return trial.state == "completed" and all(e.value is not None for e in trial.epochs)


def _trial(trial: Trial, metric: str) -> dict[str, Any]:
    params = trial.params.items()
    return {
        "params": {k: float(f"{v:.5g}") if isinstance(v, float) else v for k, v in params},
        "values": [float(f"{e.metrics[metric]:.4g}") for e in trial.epochs],
        "seconds": round(statistics.median(e.seconds for e in trial.epochs), 3),
    }


class RecordedSearch(Landscape):
    """The landscape of one file of ``curves/``.

    Attributes:
        correlation: between ranks of the last values of curves and of those that it gives to curves
            that it has not seen.
    """

    def __init__(self, name: str) -> None:
        recorded = json.loads((CURVES / f"{name}.json").read_text(encoding="utf-8"))
        by_params: dict[str, list[dict[str, Any]]] = {}
        for trial in recorded["trials"]:
            by_params.setdefault(json.dumps(trial["params"], sort_keys=True), []).append(trial)
        self._trials = [trials[0] for trials in by_params.values()]
        self._again = [trials[:2] for trials in by_params.values() if len(trials) > 1]
        epochs = len(self._trials[0]["values"])
        stopping = StoppingSpec(max_epochs=epochs, grace_epochs=1, reduction_factor=3)
        study = recorded["study"]
        super().__init__(Problem(name, study["metric"], study["mode"], study["space"], stopping))
        self._fit()

    def _fit(self) -> None:
        x_NF = np.array([self._features(trial["params"]) for trial in self._trials])
        values_NE = np.array([trial["values"] for trial in self._trials])
        last_N = values_NE[:, -1]
        unseen_N = cross_val_predict(_learner(x_NF), x_NF, last_N, cv=5)
        ranks = [np.argsort(np.argsort(values)) for values in (last_N, unseen_N)]
        self.correlation = float(np.corrcoef(*ranks)[0, 1])
        best = np.max if self.problem.mode == "max" else np.min
        sign = 1.0 if self.problem.mode == "max" else -1.0
        middle = np.median(sign * best(values_NE, axis=1))
        good = [pair for pair in self._again if sign * best(pair[0]["values"]) > middle]
        apart_NE = np.array([np.subtract(b["values"], a["values"]) for a, b in good])
        self._noise_NE = np.vstack((apart_NE, -apart_NE)) / math.sqrt(2.0)
        self._epochs = [_learner(x_NF).fit(x_NF, y) for y in values_NE.T]
        seconds = np.log([trial["seconds"] for trial in self._trials])
        self._pace = _regressor(x_NF).fit(x_NF, seconds)

    @cached_property
    def _logarithmic(self) -> set[str]:
        space = self.problem.space.items()
        return {name for name, entry in space if isinstance(entry, dict) and entry.get("log")}

    def _features(self, params: dict[str, Any]) -> list[float]:
        """Return numbers that a regression can use."""
        found: list[float] = []
        for name, entry in self.problem.space.items():
            value = params[name]
            if isinstance(entry, list) and isinstance(entry[0], str):
                found += [float(value == option) for option in entry]
            elif isinstance(entry, list):
                found.append(float(entry.index(value)))
            else:
                found.append(math.log(value) if name in self._logarithmic else float(value))
        return found

    def curve(self, params: dict[str, Any], seed: int) -> Curve:
        """Return the curve, with the noise of some configuration that was trained twice."""
        x_NF = [self._features(params)]
        mean_E = np.array([float(epoch.predict(x_NF)[0]) for epoch in self._epochs])
        drawn = derive_seed(seed, "noise", 0) % len(self._noise_NE)
        seconds = math.exp(float(self._pace.predict(x_NF)[0]))
        return Curve(mean_E, mean_E + self._noise_NE[drawn], seconds)


def _regressor(x_NF: Array) -> Pipeline:
    """A Gaussian process with a length of its own for every feature, of one standard deviation at
    least, or it would learn the noise by heart; at the upper bound a feature counts for nothing.
    Neither is a cause for a warning."""
    warnings.filterwarnings("ignore", ".*specified (upper|lower) bound", ConvergenceWarning)
    kernel = Matern(np.full(x_NF.shape[1], 3.0), (1.0, 100.0), nu=2.5) + WhiteKernel(0.1)
    return make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel, normalize_y=True))


def _learner(x_NF: Array) -> TransformedTargetRegressor:
    """The same for an epoch's metric, spread as a normal distribution is: few configurations have
    hardly begun to learn, and a process that has to reach them would overshoot elsewhere."""
    spread = QuantileTransformer(n_quantiles=100, output_distribution="normal")
    return TransformedTargetRegressor(_regressor(x_NF), transformer=spread)
