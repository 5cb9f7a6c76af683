"""How good predictions are: metrics with intervals, each class, and whether probabilities can be
believed.

Shapes: N texts, C classes, R bins of confidence, D draws.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainables.serving.model import Model, probabilities
from trainables.tasks.metrics import DrawnAuc

Array = NDArray[np.float64]

#: Samples of the texts drawn again with replacement (Efron 1979), and fewer for what takes long.
_DRAWS, _FEW_DRAWS = 1000, 200

#: Bins of confidence, of equal width (Guo et al. 2017, arXiv 1706.04599).
_BINS = 10

#: Of more classes no ROC-AUC is computed.
_AUC_CLASSES = 100


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval over texts."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClassScore:
    """One class: how many texts are of it, and how they fared."""

    name: str
    texts: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Reliability:
    """Predictions of one range of confidence: how sure they were, and how often right."""

    low: float
    high: float
    texts: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Scores:
    """What a model's predictions are worth over some texts.

    Attributes:
        ece: expected calibration error: how far confidence is from accuracy, on average; None for
            a regression.
    """

    texts: int
    figures: dict[str, Figure]
    classes: list[ClassScore]
    ece: float | None
    reliability: list[Reliability]


def score(model: Model, outputs_NC: NDArray[np.float32], targets_N: NDArray[Any]) -> Scores:
    """Score outputs against targets: class numbers, or numbers in the labels' own unit."""
    if not model.config.classes:
        return _of_numbers(model.values(outputs_NC), targets_N.astype(np.float64))
    return _of_classes(outputs_NC, targets_N.astype(np.int64), model.config.classes)


def _of_classes(
    logits_NC: NDArray[np.float32], targets_N: NDArray[np.int64], classes: Sequence[str]
) -> Scores:
    p_NC = probabilities(logits_NC)
    predicted_N = p_NC.argmax(axis=1)
    right_N = (predicted_N == targets_N).astype(np.float64)
    surprise_N = -np.log(np.maximum(p_NC[np.arange(len(targets_N)), targets_N], 1e-300))
    count = len(classes)

    def f1(rows: NDArray[np.intp]) -> float:
        return _macro_f1(predicted_N[rows], targets_N[rows], count)

    figures = _figures({"loss": surprise_N}, {"macro_f1": (f1, _DRAWS)})
    figures = {"accuracy": _share(right_N)} | figures
    if count <= _AUC_CLASSES:
        area = _area(logits_NC, targets_N)
        figures |= _figures({}, {"auc": (area, _FEW_DRAWS)}, len(targets_N))
    ece, bins = _calibration(p_NC.max(axis=1), right_N)
    rows = _per_class(predicted_N, targets_N, classes)
    return Scores(len(targets_N), figures, rows, ece, bins)


def _of_numbers(predicted_N: Array, targets_N: Array) -> Scores:
    errors_N = predicted_N - targets_N

    def rmse(rows: NDArray[np.intp]) -> float:
        return float(np.sqrt(np.mean(errors_N[rows] ** 2)))

    def r2(rows: NDArray[np.intp]) -> float:
        return _r2(errors_N[rows], targets_N[rows])

    figures = _figures({"mae": np.abs(errors_N)}, {"rmse": (rmse, _DRAWS), "r2": (r2, _DRAWS)})
    return Scores(len(targets_N), figures, [], None, [])


#: Where a metric lies, whatever the model.
LIMITS: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("accuracy", "macro_f1", "auc"), (0.0, 1.0)),
    **dict.fromkeys(("loss", "mae", "rmse"), (0.0, math.inf)),
    "r2": (-math.inf, 1.0),
}


def metric_over(
    model: Model, name: str, outputs_NC: NDArray[np.float32], targets_N: NDArray[Any]
) -> "_Statistic":
    """Return a metric as a function of the rows that it is computed over.

    What is a mean over texts is computed for each text once.
    """
    if not model.config.classes:
        predicted_N = model.values(outputs_NC)
        return _number_metric(name, predicted_N, targets_N.astype(np.float64), model.deviation)
    p_NC, truth_N = probabilities(outputs_NC), targets_N.astype(np.int64)
    predicted_N = p_NC.argmax(axis=1)
    if name == "accuracy":
        return _mean_of((predicted_N == truth_N).astype(np.float64))
    if name == "loss":
        sure_N = p_NC[np.arange(len(truth_N)), truth_N]
        return _mean_of(-np.log(np.maximum(sure_N, 1e-300)))
    if name == "macro_f1":
        return lambda rows: _macro_f1(predicted_N[rows], truth_N[rows], p_NC.shape[1])
    return _area(outputs_NC, truth_N)


def _area(logits_NC: NDArray[np.float32], targets_N: NDArray[np.int64]) -> "_Statistic":
    drawn = DrawnAuc(torch.from_numpy(logits_NC).double(), torch.from_numpy(targets_N))
    return lambda rows: drawn.over(torch.from_numpy(rows))


def _number_metric(
    name: str, predicted_N: Array, targets_N: Array, deviation: float
) -> "_Statistic":
    errors_N = predicted_N - targets_N
    if name == "mae":
        return _mean_of(np.abs(errors_N))
    if name == "rmse":
        return lambda rows: float(np.sqrt(np.mean(errors_N[rows] ** 2)))
    if name == "r2":
        return lambda rows: _r2(errors_N[rows], targets_N[rows])
    return _mean_of((errors_N / deviation) ** 2)


def _mean_of(values_N: Array) -> "_Statistic":
    return lambda rows: float(values_N[rows].mean())


def _r2(errors_N: Array, targets_N: Array) -> float:
    variance = float(np.var(targets_N))
    return 1.0 - float(np.mean(errors_N**2)) / variance if variance else 0.0


_Statistic = Callable[[NDArray[np.intp]], float]


def _figures(
    means: Mapping[str, Array],
    others: Mapping[str, tuple[_Statistic, int]],
    texts: int | None = None,
) -> dict[str, Figure]:
    """Return means over texts, and other statistics of rows, with intervals over texts drawn
    again."""
    texts = texts or len(next(iter(means.values())))
    rng = np.random.default_rng(0)
    every = np.arange(texts)
    found = {}
    for name, values_N in means.items():
        drawn_D = [values_N[rng.integers(texts, size=texts)].mean() for _ in range(_DRAWS)]
        found[name] = _figure(float(values_N.mean()), drawn_D)
    for name, (statistic, draws) in others.items():
        drawn_D = [statistic(rng.integers(texts, size=texts)) for _ in range(draws)]
        found[name] = _figure(statistic(every), drawn_D)
    return found


def _share(right_N: Array) -> Figure:
    """Return a share of texts with its interval (Wilson 1927), which no few texts make certain."""
    count, share, z = len(right_N), float(right_N.mean()), 1.959964
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    off = z * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2) / (1 + z * z / count)
    return Figure(share, max(0.0, middle - off), min(1.0, middle + off))


def _figure(value: float, drawn_D: Sequence[float]) -> Figure:
    low, high = np.percentile(drawn_D, (2.5, 97.5))
    return Figure(value, float(low), float(high))


def _counts(
    predicted_N: NDArray[np.intp], targets_N: NDArray[np.int64], count: int
) -> tuple[NDArray[np.intp], ...]:
    """Return how many texts of each class are right, are called so, and are so: three of C numbers.

    A confusion matrix has as many as the square of the classes.
    """
    right_N = targets_N[predicted_N == targets_N]
    return tuple(np.bincount(some, minlength=count) for some in (right_N, predicted_N, targets_N))


def _macro_f1(predicted_N: NDArray[np.intp], targets_N: NDArray[np.int64], count: int) -> float:
    right_C, said_C, true_C = _counts(predicted_N, targets_N, count)
    met_C = said_C + true_C
    return float(np.mean(2.0 * right_C[met_C > 0] / met_C[met_C > 0]))


def _per_class(
    predicted_N: NDArray[np.intp], targets_N: NDArray[np.int64], classes: Sequence[str]
) -> list[ClassScore]:
    counts_3C = np.stack(_counts(predicted_N, targets_N, len(classes)))
    found = []
    for name, (right, said, true) in zip(classes, counts_3C.T.tolist(), strict=True):
        f1 = 2.0 * right / (said + true) if said + true else 0.0
        found.append(ClassScore(name, true, right / max(said, 1), right / max(true, 1), f1))
    return found


def _calibration(confidence_N: Array, right_N: Array) -> tuple[float, list[Reliability]]:
    bin_N = np.minimum((confidence_N * _BINS).astype(np.int64), _BINS - 1)
    found, error = [], 0.0
    for number in range(_BINS):
        here_N = bin_N == number
        if here_N.any():
            sure, right = float(confidence_N[here_N].mean()), float(right_N[here_N].mean())
            error += abs(sure - right) * int(here_N.sum())
            low, high = number / _BINS, (number + 1) / _BINS
            found.append(Reliability(low, high, int(here_N.sum()), sure, right))
    return error / len(right_N), found
