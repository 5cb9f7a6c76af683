"""Text classification: one label a text, from a closed set.

Shapes: B texts, C classes, N texts of a whole part.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.core.hyperparameters import Hyperparameters
from trainables.core.task import TaskContext
from trainables.networks.network import TextNetwork

#: With more classes a confusion matrix is no longer something to look at as single figures.
_CONFUSION_CLASSES = 5

#: With more classes one ROC curve for each would take longer than an epoch.
_AUC_CLASSES = 100


class TextClassification:
    """Cross-entropy over logits; label smoothing and class weights in the training loss only."""

    def __init__(self, hyperparameters: Hyperparameters, ends: TaskContext) -> None:
        self._hyperparameters, self._ends = hyperparameters, ends
        self._weights_C: Tensor | None = None
        if hyperparameters.class_weights == "balanced":
            self._weights_C = balanced(torch.from_numpy(ends.targets_N), len(ends.classes))

    def build(self) -> nn.Module:
        """A new model with random weights, but for what its embedding starts from."""
        return TextNetwork(self._hyperparameters, self._ends, len(self._ends.classes))

    def losses(self, logits_BC: Tensor, targets_B: Tensor) -> Tensor:
        """Cross-entropy of each text, losses_B."""
        if self._weights_C is not None:  # moved once, the same ever after
            self._weights_C = self._weights_C.to(logits_BC.device)
        return functional.cross_entropy(
            logits_BC,
            targets_B,
            weight=self._weights_C,
            reduction="none",
            label_smoothing=self._hyperparameters.label_smoothing,
        )

    def metrics(self, logits_NC: Tensor, targets_N: Tensor) -> dict[str, float]:
        """Accuracy, macro-averaged F1, ROC-AUC and mean log loss over a whole part; of few classes
        also how many texts of each were taken for which."""
        predicted_N, classes = logits_NC.argmax(dim=1), self._ends.classes
        figures = {
            "accuracy": (predicted_N == targets_N).double().mean().item(),
            "macro_f1": macro_f1(predicted_N, targets_N, len(classes)),
            "loss": functional.cross_entropy(logits_NC.double(), targets_N).item(),
        }
        if len(classes) <= _AUC_CLASSES:
            figures["auc"] = auc(logits_NC.double(), targets_N)
        if len(classes) <= _CONFUSION_CLASSES:
            counts_CC = confusion(predicted_N, targets_N, len(classes))
            for true, row in zip(classes, counts_CC.tolist(), strict=True):
                figures |= {
                    f"confusion/{true} as {said}": float(count)
                    for said, count in zip(classes, row, strict=True)
                }
        return figures


def balanced(targets_N: Tensor, classes: int) -> Tensor:
    """weights_C inverse to each class's share, 1 on average over the texts; a class never seen
    counts 1."""
    counts_C = torch.bincount(targets_N, minlength=classes)
    seen_C = counts_C > 0
    weights_C = len(targets_N) / (seen_C.sum() * counts_C.clamp(min=1))
    return torch.where(seen_C, weights_C, torch.ones(())).float()


def confusion(predicted_N: Tensor, targets_N: Tensor, classes: int) -> Tensor:
    """counts_CC: row the true class, column the one said."""
    flat = torch.bincount(targets_N * classes + predicted_N, minlength=classes * classes)
    return flat.reshape(classes, classes)


def macro_f1(predicted_N: Tensor, targets_N: Tensor, classes: int) -> float:
    """F1 of each class, averaged over the classes that are predicted or present, all alike."""
    counts_CC = confusion(predicted_N, targets_N, classes)
    met_C = counts_CC.sum(0) + counts_CC.sum(1)
    f1_C = 2.0 * counts_CC.diagonal().double() / met_C
    return float(f1_C[met_C > 0].mean())


def auc(logits_NC: Tensor, targets_N: Tensor) -> float:
    """Area under the ROC curve: how often a text of a class is given more of it than a text of
    another, equal shares counting half (Hanley & McNeil 1982); over several classes the mean of one
    against the rest. NaN logits make NaN; 0.5 where only one class is present."""
    if logits_NC.isnan().any():
        return float("nan")
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
    """How much more a class is thought of than all others; never saturates, as its share would."""
    others = [c for c in range(logits_NC.shape[1]) if c != klass]
    odds_N: Tensor = logits_NC[:, klass] - logits_NC[:, others].logsumexp(dim=1)
    return odds_N


def _middle_ranks(values_N: Tensor) -> Tensor:
    """Ranks from 1; equal values share the middle of theirs."""
    _, where_N, counts = torch.unique(values_N, return_inverse=True, return_counts=True)
    middle: Tensor = counts.cumsum(0) - (counts - 1) / 2
    return middle.double()[where_N]
