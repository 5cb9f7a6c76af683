"""Dropout for recurrent networks: of the same features at every step, and of whole words.

Shapes: B texts, T tokens, N different words, V words of the vocabulary, E features.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.data.text.tokens import PAD, UNKNOWN
from trainables.kernels.steps import Steps
from trainables.networks.embedding import FrozenRows
from trainables.networks.hyperparameters import TokenHyperparameters


class LockedDropout(nn.Module):
    """Dropout of the same features at every step of a text (Gal & Ghahramani 2016; Merity 2018)."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x_BTE: Tensor) -> Tensor:
        """Return x_BTE; in training, with whole features zeroed and the others scaled up."""
        if not self.training or self.share == 0:
            return x_BTE
        ones_B1E = torch.ones_like(x_BTE[:, :1])
        return x_BTE * functional.dropout(ones_B1E, self.share)


def make_dropout(share: float, locked: bool) -> nn.Module:
    """Build the dropout of a sequence: before its layers or between them."""
    return LockedDropout(share) if locked else nn.Dropout(share)


def embed_tokens(
    layer: nn.Embedding | FrozenRows, ids_BT: Tensor, hyperparameters: TokenHyperparameters
) -> Steps:
    """Embed tokens; in training, with the dropout that the hyperparameters ask for.

    Word dropout replaces tokens by the unknown token (Iyyer 2015), but never padding.
    """
    h = hyperparameters
    if layer.training and h.word_dropout > 0:
        dropped_BT = torch.rand(ids_BT.shape, device=ids_BT.device) < h.word_dropout
        ids_BT = ids_BT.masked_fill(dropped_BT & (ids_BT != PAD), UNKNOWN)
    return embed(layer, ids_BT, h.embedding_dropout)


def embed(layer: nn.Embedding | FrozenRows, ids_BT: Tensor, share: float) -> Steps:
    """Embed tokens; in training, a share of the vocabulary's words is zero everywhere in the batch.

    The others are scaled up (Gal & Ghahramani 2016; Merity 2018).
    """
    dropped = share if layer.training else 0.0
    by_word = ids_BT.device.type == "cpu"
    return (embed_each_word if by_word else embed_each_place)(layer, ids_BT, dropped)


def embed_each_word(layer: nn.Embedding | FrozenRows, ids_BT: Tensor, dropped: float) -> Steps:
    """Embed each different word once, of which a batch has few. On a GPU the host would wait."""
    ids_N, index_BT = torch.unique(ids_BT, return_inverse=True)
    rows_NE: Tensor = layer(ids_N)
    return Steps(_with_rows_dropped(rows_NE, dropped), index_BT)


def embed_each_place(layer: nn.Embedding | FrozenRows, ids_BT: Tensor, dropped: float) -> Steps:
    """Embed each place of a batch by itself."""
    x_BTE: Tensor = layer(ids_BT)
    if dropped > 0 and isinstance(layer, nn.Embedding):
        ones_V1 = torch.ones(layer.num_embeddings, 1, device=ids_BT.device)
        return Steps.of(x_BTE * functional.dropout(ones_V1, dropped)[ids_BT])
    # Frozen features belong to positions, of which few occur twice.
    return Steps.of(_with_rows_dropped(x_BTE, dropped))


def _with_rows_dropped(rows_NE: Tensor, share: float) -> Tensor:
    if share == 0:
        return rows_NE
    return rows_NE * functional.dropout(torch.ones_like(rows_NE[..., :1]), share)
