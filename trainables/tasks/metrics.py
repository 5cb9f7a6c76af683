"""Metrics of a classifier over a whole part.

Shapes: C classes, N examples, B of them at a time.
"""

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
    # Of two classes both have the same area, so one is computed.
    columns = range(1, 2) if logits_NC.shape[1] == 2 else range(logits_NC.shape[1])
    areas = []
    for klass in columns:
        mine_N = targets_N == klass
        mine, others = int(mine_N.sum()), int((~mine_N).sum())
        if mine and others:
            ranks_N = _middle_ranks(_log_odds(logits_NC, klass))
            ranks = ranks_N[mine_N].sum().item()
            areas.append((ranks - mine * (mine + 1) / 2) / (mine * others))
    return sum(areas) / len(areas) if areas else 0.5


def _log_odds(logits_NC: Tensor, klass: int) -> Tensor:
    """Return a class's log odds against all others.

    A softmax probability would saturate at 1, and confident predictions would tie.
    """
    others = [c for c in range(logits_NC.shape[1]) if c != klass]
    odds_N: Tensor = logits_NC[:, klass] - logits_NC[:, others].logsumexp(dim=1)
    return odds_N


def _middle_ranks(values_N: Tensor) -> Tensor:
    """Return the ranks of the values from 1; equal values share the mean of their ranks."""
    _, where_N, counts = torch.unique(values_N, return_inverse=True, return_counts=True)
    middle: Tensor = counts.cumsum(0) - (counts - 1) / 2
    return middle.double()[where_N]
