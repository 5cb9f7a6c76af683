"""The network that reads a text: embedding, recurrent encoder, head.

Shapes: B texts, T tokens, E embedding, P features after pooling, C outputs.
"""

import torch
from torch import Tensor, nn

from trainables.core.precision import in_float32
from trainables.core.task import TaskContext
from trainables.data.text.tokens import PAD, UNKNOWN
from trainables.embeddings.sources import SCRATCH
from trainables.networks.embedding import build_embedding
from trainables.networks.encoders import RecurrentEncoder
from trainables.networks.hyperparameters import RecurrentHyperparameters
from trainables.networks.regularisation import embed


class TextNetwork(nn.Module):
    """Token ids and lengths in, ``outputs`` numbers a text out."""

    def __init__(
        self, hyperparameters: RecurrentHyperparameters, context: TaskContext, outputs: int
    ) -> None:
        super().__init__()
        h = hyperparameters
        if h.embedding != SCRATCH and context.vectors_VE is None:
            raise ValueError(f"embedding = {h.embedding!r} needs vectors_VE in the task's context")
        self.word_dropout, self.embedding_dropout = h.word_dropout, h.embedding_dropout
        self.embedding = build_embedding(context.vocabulary, h.embedding_dim, context.vectors_VE)
        self.encoder = RecurrentEncoder(h, h.embedding_dim)
        self.dropout = nn.Dropout(h.dropout)
        self.head = _head(self.encoder.output_size, h, outputs)

    def forward(self, ids_BT: Tensor, lengths_B: Tensor) -> Tensor:
        """outputs_BC; padding behind a text's length changes nothing."""
        if self.training and self.word_dropout > 0:
            dropped_BT = torch.rand(ids_BT.shape, device=ids_BT.device) < self.word_dropout
            ids_BT = ids_BT.masked_fill(dropped_BT & (ids_BT != PAD), UNKNOWN)
        words = embed(self.embedding, ids_BT, self.embedding_dropout)
        pooled_BP = self.encoder(words, lengths_B)
        with in_float32(ids_BT.device):
            outputs_BC: Tensor = self.head(self.dropout(pooled_BP.float()))
        return outputs_BC


def _head(width: int, h: RecurrentHyperparameters, outputs: int) -> nn.Module:
    """Linear, or with one hidden layer."""
    if h.head_hidden == 0:
        return nn.Linear(width, outputs)
    return nn.Sequential(
        nn.Linear(width, h.head_hidden),
        nn.ReLU(),
        nn.Dropout(h.dropout),
        nn.Linear(h.head_hidden, outputs),
    )
