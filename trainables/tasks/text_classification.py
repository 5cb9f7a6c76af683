"""Text classification: one label for each text, from a closed set.

Shapes: B texts, C classes, N texts of a whole part.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.core.task import TaskContext
from trainables.networks.hyperparameters import (
    ClassificationHyperparameters,
    RecurrentHyperparameters,
)
from trainables.networks.network import TextNetwork
from trainables.tasks.class_metrics import AUC_CLASSES, CONFUSION_CLASSES, confusion_name
from trainables.tasks.metrics import auc, confusion, log_loss, macro_f1
from trainables.tasks.registry import TASKS


class TextClassification:
    """Classification by cross-entropy over logits.

    Label smoothing and class weights apply to the training loss only.
    """

    declaration = TASKS["text-classification"].declaration

    def __init__(
        self, hyperparameters: ClassificationHyperparameters, context: TaskContext
    ) -> None:
        self.hyperparameters, self.context = hyperparameters, context
        self._weights_C: Tensor | None = None
        if hyperparameters.class_weights == "balanced":
            targets_N = np.array(context.targets_N)  # torch warns of what is mapped read-only
            self._weights_C = balanced(torch.from_numpy(targets_N), len(context.classes))

    def build(self) -> nn.Module:
        """Build a recurrent network with random weights, except for pretrained vectors."""
        assert isinstance(self.hyperparameters, RecurrentHyperparameters)
        return TextNetwork(self.hyperparameters, self.context, len(self.context.classes))

    def losses(self, logits_BC: Tensor, targets_B: Tensor) -> Tensor:
        """Return the cross-entropy of each text: losses_B."""
        if self._weights_C is not None:  # copied by the first call, unchanged by later ones
            self._weights_C = self._weights_C.to(logits_BC.device)
        return functional.cross_entropy(
            logits_BC,
            targets_B,
            weight=self._weights_C,
            reduction="none",
            label_smoothing=self.hyperparameters.label_smoothing,
        )

    def metrics(self, logits_NC: Tensor, targets_N: Tensor) -> dict[str, float]:
        """Return accuracy, macro-averaged F1, ROC-AUC and mean log loss over a whole part.

        ROC-AUC is left out with more than 100 classes. With five classes or fewer, each entry of
        the confusion matrix is added.
        """
        predicted_N, classes = logits_NC.argmax(dim=1), self.context.classes
        figures = {
            "accuracy": (predicted_N == targets_N).double().mean().item(),
            "macro_f1": macro_f1(predicted_N, targets_N, len(classes)),
            "loss": log_loss(logits_NC, targets_N),
        }
        if len(classes) <= AUC_CLASSES:
            figures["auc"] = auc(logits_NC.double(), targets_N)
        if len(classes) <= CONFUSION_CLASSES:
            counts_CC = confusion(predicted_N, targets_N, len(classes))
            for true, row in zip(classes, counts_CC.tolist(), strict=True):
                figures |= {
                    confusion_name(true, said): float(count)
                    for said, count in zip(classes, row, strict=True)
                }
        return figures


def balanced(targets_N: Tensor, classes: int) -> Tensor:
    """Return weights_C inverse to each class's share; their mean over the texts is 1.

    A class without texts has weight 1.
    """
    counts_C = torch.bincount(targets_N, minlength=classes)
    seen_C = counts_C > 0
    weights_C = len(targets_N) / (seen_C.sum() * counts_C.clamp(min=1))
    return torch.where(seen_C, weights_C, torch.ones(())).float()
