"""The network that reads a text: embedding, recurrent encoder, head.

Shapes: B texts, T tokens, P features after pooling, C outputs.
"""

from torch import Tensor, nn

from trainables.core.precision import in_float32
from trainables.core.task import TaskContext
from trainables.networks.embedding import token_embedding
from trainables.networks.encoders import RecurrentEncoder
from trainables.networks.hyperparameters import RecurrentHyperparameters
from trainables.networks.regularisation import embed_tokens


class TextNetwork(nn.Module):
    """A network from token ids and lengths to ``outputs`` numbers for each text."""

    def __init__(
        self, hyperparameters: RecurrentHyperparameters, context: TaskContext, outputs: int
    ) -> None:
        super().__init__()
        h = hyperparameters
        self.hyperparameters = h
        self.embedding = token_embedding(h, context)
        self.encoder = RecurrentEncoder(h, h.embedding_dim)
        self.dropout = nn.Dropout(h.dropout)
        self.head = _head(self.encoder.output_size, h, outputs)

    def forward(self, ids_BT: Tensor, lengths_B: Tensor) -> Tensor:
        """Return outputs_BC; padding after a text's end changes nothing."""
        words = embed_tokens(self.embedding, ids_BT, self.hyperparameters)
        pooled_BP = self.encoder(words, lengths_B)
        with in_float32(ids_BT.device):
            outputs_BC: Tensor = self.head(self.dropout(pooled_BP.float()))
        return outputs_BC


def _head(width: int, h: RecurrentHyperparameters, outputs: int) -> nn.Module:
    """Build a linear head, or one with a hidden layer."""
    if h.head_hidden == 0:
        return nn.Linear(width, outputs)
    return nn.Sequential(
        nn.Linear(width, h.head_hidden),
        nn.ReLU(),
        nn.Dropout(h.dropout),
        nn.Linear(h.head_hidden, outputs),
    )
