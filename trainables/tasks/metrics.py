"""Metrics of a classifier over a whole part.

Shapes: C classes, N examples, B of them at a time, M that are drawn of them, P places of values.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

#: Logits that the log loss takes at a time, 32 MiB in float64.
_NUMBERS_AT_ONCE = 1 << 22


def confusion(predicted_N: Tensor, targets_N: Tensor, classes: int) -> Tensor:
    """Count predictions: counts_CC with a row for each true class, a column for each predicted."""
    flat = torch.bincount(targets_N * classes + predicted_N, minlength=classes * classes)
    return flat.reshape(classes, classes)


def macro_f1(predicted_N: Tensor, targets_N: Tensor, classes: int) -> float:
    """Return the unweighted mean of F1 over the classes that are predicted or present."""
    # Counted by class: a matrix of ten thousand classes would take 800 MB.
    right_C, said_C, true_C = (
        torch.bincount(some_N, minlength=classes)
        for some_N in (targets_N[predicted_N == targets_N], predicted_N, targets_N)
    )
    met_C = said_C + true_C
    f1_C = 2.0 * right_C.double() / met_C
    return float(f1_C[met_C > 0].mean())


def log_loss(logits_NC: Tensor, targets_N: Tensor) -> float:
    """Return the mean cross-entropy in float64, which is never made of all logits at once."""
    rows = max(1, _NUMBERS_AT_ONCE // logits_NC.shape[1])
    parts = zip(torch.split(logits_NC, rows), torch.split(targets_N, rows), strict=True)
    sums = [
        functional.cross_entropy(logits_BC.double(), targets_B, reduction="sum").item()
        for logits_BC, targets_B in parts
    ]
    return sum(sums) / len(targets_N)


def auc(logits_NC: Tensor, targets_N: Tensor) -> float:
    """Return the area under the ROC curve (Hanley & McNeil 1982).

    It is the probability that an example of a class scores higher than one of another class; ties
    count half. With more than two classes it is the mean over each class against the rest. NaN
    logits give NaN, and a part with one class gives 0.5.
    """
    if logits_NC.isnan().any():
        return float("nan")
    classes = logits_NC.shape[1]
    return _mean(
        _area(_places(_log_odds(logits_NC, klass)), mine_N)
        for klass, mine_N in _told_apart(targets_N, classes)
    )


class DrawnAuc:
    """The area under the ROC curve over examples that are drawn again and again.

    An example's log odds are the same in every draw. So they are computed once, and a draw only
    ranks those of its examples anew.
    """

    def __init__(self, logits_NC: Tensor, targets_N: Tensor) -> None:
        self._targets_N, self._classes = targets_N, logits_NC.shape[1]
        self._nan_N = logits_NC.isnan().any(dim=1)
        self._places = {
            klass: _places(_log_odds(logits_NC, klass)).int()
            for klass, _ in _told_apart(targets_N, self._classes)
        }

    def over(self, rows_M: Tensor) -> float:
        """Return what ``auc`` does over these examples."""
        if self._nan_N[rows_M].any():
            return float("nan")
        return _mean(
            _area(self._places[klass][rows_M], mine_M)
            for klass, mine_M in _told_apart(self._targets_N[rows_M], self._classes)
        )


def _mean(areas: Iterable[float]) -> float:
    found = list(areas)
    return sum(found) / len(found) if found else 0.5


def _told_apart(targets_N: Tensor, classes: int) -> Iterator[tuple[int, Tensor]]:
    """Yield each class that some examples have, and not all, with which have it.

    Of two classes both have the same area, so one is enough.
    """
    for klass in range(1 if classes == 2 else 0, classes):
        mine_N = targets_N == klass
        if mine_N.any() and not mine_N.all():
            yield klass, mine_N


def _log_odds(logits_NC: Tensor, klass: int) -> Tensor:
    """Return a class's log odds against all others.

    A softmax probability would saturate at 1, and confident predictions would tie.
    """
    others = [c for c in range(logits_NC.shape[1]) if c != klass]
    odds_N: Tensor = logits_NC[:, klass] - logits_NC[:, others].logsumexp(dim=1)
    return odds_N


def _places(values_N: Tensor) -> Tensor:
    """Return the place of each value among those that differ, from 0."""
    places_N: Tensor = torch.unique(values_N, return_inverse=True)[1]
    return places_N


def _area(places_N: Tensor, mine_N: Tensor) -> float:
    """Return how often one of mine has a later place than another; equal ones count half."""
    counts_P = torch.bincount(places_N)
    # Equal values share the mean of their ranks, from 1.
    middle_P = counts_P.cumsum(0).double() - (counts_P - 1).double() / 2
    mine = int(mine_N.sum())
    ranks = middle_P[places_N[mine_N]].sum().item()
    return (ranks - mine * (mine + 1) / 2) / (mine * (len(mine_N) - mine))
