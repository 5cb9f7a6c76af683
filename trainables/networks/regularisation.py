"""Dropout for recurrent networks: of the same features at every step, and of whole words.

Shapes: B texts, T tokens, N different words, E features.
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
    """Embed tokens; on a CPU, each different word only once.

    In training, a share of the vocabulary's words is zero everywhere in the batch. The others are
    scaled up (Gal & Ghahramani 2016; Merity 2018).
    """
    ids_N, index_BT = _ids_and_places(layer, ids_BT)
    rows_NE: Tensor = layer(ids_N)
    if layer.training and share > 0:
        rows_NE = rows_NE * functional.dropout(torch.ones_like(rows_NE[:, :1]), share)
    return Steps(rows_NE, index_BT)


def _ids_and_places(layer: nn.Embedding | FrozenRows, ids_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Return ids_N, the ids to embed, and index_BT, the one of them that stands at each place.

    On a CPU, ids_N are the ids that occur. To find them on a GPU, the host would have to wait. So
    on a GPU they are the whole vocabulary. Frozen features are embedded place by place there, since
    they belong to positions, of which few occur twice.
    """
    device = ids_BT.device
    if device.type == "cpu":
        ids_N, index_BT = torch.unique(ids_BT, return_inverse=True)
        return ids_N, index_BT
    if isinstance(layer, nn.Embedding):
        return torch.arange(layer.num_embeddings, device=device), ids_BT
    return ids_BT.flatten(), torch.arange(ids_BT.numel(), device=device).view_as(ids_BT)
