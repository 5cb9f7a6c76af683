"""Text classification: a recurrent encoder over word embeddings and a linear head.

Shapes: B texts, T tokens, E embedding, C classes, N texts of a whole part.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.core.trainer import ModelEnds
from trainables.data.tokens import PAD, UNKNOWN
from trainables.embeddings.layer import build_embedding
from trainables.encoders import RecurrentEncoder
from trainables.hyperparameters import Hyperparameters


class TextClassifier(nn.Module):
    """Token ids and lengths in, one logit a class out."""

    def __init__(self, hyperparameters: Hyperparameters, ends: ModelEnds) -> None:
        super().__init__()
        h = hyperparameters
        self.word_dropout = h.word_dropout
        self.embedding = build_embedding(ends.vocabulary, h.embedding_dim, ends.vectors_VE)
        self.encoder = RecurrentEncoder(h, h.embedding_dim)
        self.dropout = nn.Dropout(h.dropout)
        self.head = nn.Linear(self.encoder.output_size, ends.classes)

    def forward(self, ids_BT: Tensor, lengths_B: Tensor) -> Tensor:
        """logits_BC; padding behind a text's length changes nothing."""
        if self.training and self.word_dropout > 0:
            dropped_BT = torch.rand(ids_BT.shape, device=ids_BT.device) < self.word_dropout
            ids_BT = ids_BT.masked_fill(dropped_BT & (ids_BT != PAD), UNKNOWN)
        pooled_BP = self.encoder(self.embedding(ids_BT), lengths_B)
        logits_BC: Tensor = self.head(self.dropout(pooled_BP))
        return logits_BC


class TextClassification:
    """One label a text, from a closed set."""

    def build(self, hyperparameters: Hyperparameters, ends: ModelEnds) -> nn.Module:
        """A new model with random weights, but for what its embedding starts from."""
        return TextClassifier(hyperparameters, ends)

    def losses(self, logits_BC: Tensor, targets_B: Tensor, smoothing: float) -> Tensor:
        """Cross-entropy of each text, losses_B."""
        return functional.cross_entropy(
            logits_BC, targets_B, reduction="none", label_smoothing=smoothing
        )

    def metrics(self, logits_NC: Tensor, targets_N: Tensor) -> dict[str, float]:
        """Accuracy, macro-averaged F1 and mean loss over a whole part."""
        predicted_N = logits_NC.argmax(dim=1)
        return {
            "accuracy": (predicted_N == targets_N).double().mean().item(),
            "macro_f1": macro_f1(predicted_N, targets_N, logits_NC.shape[1]),
            "loss": functional.cross_entropy(logits_NC.double(), targets_N).item(),
        }


def macro_f1(predicted_N: Tensor, targets_N: Tensor, classes: int) -> float:
    """F1 of each class, averaged over the classes that are predicted or present, all alike."""
    hits_C = torch.bincount(targets_N[predicted_N == targets_N], minlength=classes)
    seen_C = torch.bincount(targets_N, minlength=classes)
    said_C = torch.bincount(predicted_N, minlength=classes)
    met_C = seen_C + said_C > 0
    f1_C = 2.0 * hits_C[met_C].double() / (seen_C + said_C)[met_C]
    return float(f1_C.mean())
