"""Dropout as recurrent networks need it: locked over time, of whole words, of recurrent weights.

Shapes: B texts, T tokens, E features, V words of the vocabulary.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.embeddings.layer import FrozenRows


class LockedDropout(nn.Module):
    """Drops the same features at every step of a text (Gal & Ghahramani 2016; Merity 2018)."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x_BTE: Tensor) -> Tensor:
        """x_BTE with whole features zeroed and the others scaled up, in training only."""
        if not self.training or self.share == 0:
            return x_BTE
        ones_B1E = torch.ones_like(x_BTE[:, :1])
        return x_BTE * functional.dropout(ones_B1E, self.share)


def make_dropout(share: float, locked: bool) -> nn.Module:
    """Dropout between the layers of a sequence."""
    return LockedDropout(share) if locked else nn.Dropout(share)


def embed(layer: nn.Embedding | FrozenRows, ids_BT: Tensor, share: float) -> Tensor:
    """Embedded tokens x_BTE; in training, a share of the vocabulary's words is zero everywhere in
    the batch and the others are scaled up (Gal & Ghahramani 2016; Merity 2018); of features, a
    share of the tokens."""
    x_BTE: Tensor = layer(ids_BT)
    if not layer.training or share == 0:
        return x_BTE
    if isinstance(layer, FrozenRows):  # each row is one place in one text
        ones_BT1 = torch.ones_like(x_BTE[:, :, :1])
        return x_BTE * functional.dropout(ones_BT1, share)
    ones_V = torch.ones(layer.num_embeddings, device=ids_BT.device, dtype=x_BTE.dtype)
    return x_BTE * functional.dropout(ones_V, share)[ids_BT][:, :, None]


def run_with_dropped_weights(cell: nn.RNNBase, x_BTE: Tensor, share: float) -> Any:
    """What ``cell(x_BTE)`` gives, with a share of its recurrent weights zero for the whole pass, in
    training only (DropConnect on the hidden-to-hidden matrices, Merity 2018)."""
    if not cell.training or share == 0:
        return cell(x_BTE)
    whole = cell._flat_weights
    cell._flat_weights = [
        functional.dropout(weight, share) if weight is not None and "weight_hh" in name else weight
        for name, weight in zip(cell._flat_weights_names, whole, strict=True)
    ]
    try:
        return cell(x_BTE)
    finally:
        cell._flat_weights = whole
