"""Recurrent encoders: the steps of texts in, one vector for each text out.

Texts are padded at the end. The forward direction meets no padding before the last real token. The
backward direction reads each text reversed within its own length. Texts are never packed, because
torch falls back to a slow loop for packed texts on a CPU.

Shapes: B texts in a batch, T tokens of the longest, E features in, H hidden units per direction,
D features out of a layer (H, or 2H in both directions), P features after pooling.
"""

import torch
from torch import Tensor, nn

from trainables.core.precision import in_float32
from trainables.kernels.steps import Steps, exchanged
from trainables.networks.cells import CELLS
from trainables.networks.hyperparameters import RecurrentHyperparameters
from trainables.networks.regularisation import make_dropout

#: Vectors side by side in the output of each kind of pooling.
POOLED_STATES = {"last": 1, "mean": 1, "max": 1, "attention": 1, "concat": 3}


def padding_mask(lengths_B: Tensor, width: int) -> Tensor:
    """Return mask_BT, True where a position holds a real token."""
    return torch.arange(width, device=lengths_B.device) < lengths_B[:, None]


class EncoderLayer(nn.Module):
    """One recurrent layer in one direction or both, with layer normalisation if asked for."""

    def __init__(self, hyperparameters: RecurrentHyperparameters, input_size: int) -> None:
        super().__init__()
        h = hyperparameters
        make, size = CELLS[h.cell].load(), h.hidden_size
        self.weight_drop = h.weight_drop
        self.forwards = make(input_size, size)
        self.backwards = make(input_size, size) if h.bidirectional else None
        width = size * (2 if h.bidirectional else 1)
        self.norm = nn.LayerNorm(width) if h.layer_norm else nn.Identity()

    def forward(self, x: Steps, lengths_B: Tensor) -> Tensor:
        """Return y_BTD, the outputs of every step; those after a text's end are meaningless."""
        y_BTD: Tensor = self.norm(self._both(x, lengths_B))
        return y_BTD

    def _both(self, x: Steps, lengths_B: Tensor) -> Tensor:
        forwards_BTH = self.forwards.read(x, self.weight_drop)
        if self.backwards is None:
            return forwards_BTH
        turned_BT = _reversal(lengths_B, x.index_BT.shape[1])
        backwards_BTH = self.backwards.read(x.turned(turned_BT), self.weight_drop)
        # A reversal undoes itself, so the same positions put the outputs back in order.
        return torch.cat([forwards_BTH, exchanged(backwards_BTH, turned_BT)], dim=2)


def _reversal(lengths_B: Tensor, width: int) -> Tensor:
    """Return positions_BT that reverse each text within its length; padding stays in place."""
    positions_T = torch.arange(width, device=lengths_B.device)
    mirrored_BT = lengths_B[:, None] - 1 - positions_T
    return torch.where(mirrored_BT >= 0, mirrored_BT, positions_T)


class Pooling(nn.Module):
    """Pools the outputs of all real steps into one vector for each text."""

    def __init__(self, kind: str, hidden_size: int, bidirectional: bool) -> None:
        super().__init__()
        self.kind, self.hidden_size, self.bidirectional = kind, hidden_size, bidirectional
        width = hidden_size * (2 if bidirectional else 1)
        self.output_size = width * POOLED_STATES[kind]
        self.score = nn.Linear(width, 1) if kind == "attention" else None

    def forward(self, y_BTD: Tensor, lengths_B: Tensor) -> Tensor:
        """Return pooled_BP, one vector for each text."""
        mask_BT1 = padding_mask(lengths_B, y_BTD.shape[1])[:, :, None]
        if self.score is not None:
            with in_float32(y_BTD.device):
                scores_BT1 = self.score(y_BTD.float()).masked_fill(~mask_BT1, -torch.inf)
            return (torch.softmax(scores_BT1, dim=1) * y_BTD).sum(dim=1)
        pooled = []
        if self.kind in ("last", "concat"):
            pooled.append(self._last(y_BTD, lengths_B))
        if self.kind in ("mean", "concat"):
            pooled.append(y_BTD.masked_fill(~mask_BT1, 0.0).sum(dim=1) / lengths_B[:, None])
        if self.kind in ("max", "concat"):
            pooled.append(y_BTD.masked_fill(~mask_BT1, -torch.inf).amax(dim=1))
        return torch.cat(pooled, dim=1)

    def _last(self, y_BTD: Tensor, lengths_B: Tensor) -> Tensor:
        """Return the last state of each direction, side by side.

        The forward direction ends at a text's last token, the backward direction at its first.
        """
        H, D = self.hidden_size, y_BTD.shape[2]
        # The backward pass of indexing sorts on a GPU, because a step might be read twice.
        ends_B1D = (lengths_B - 1)[:, None, None].expand(-1, 1, D)
        forwards_BD = y_BTD.gather(1, ends_B1D).squeeze(1)
        if not self.bidirectional:
            return forwards_BD
        return torch.cat([forwards_BD[:, :H], y_BTD[:, 0, H:]], dim=1)


class RecurrentEncoder(nn.Module):
    """Stacked recurrent layers with dropout between them, followed by pooling."""

    def __init__(self, hyperparameters: RecurrentHyperparameters, input_size: int) -> None:
        super().__init__()
        h = hyperparameters
        width = h.hidden_size * (2 if h.bidirectional else 1)
        self.layers = nn.ModuleList(
            EncoderLayer(h, width if depth else input_size) for depth in range(h.num_layers)
        )
        self.drops_input = h.input_dropout > 0
        self.input_dropout = make_dropout(h.input_dropout, h.locked_dropout)
        self.dropout = make_dropout(h.dropout, h.locked_dropout)
        self.pooling = Pooling(h.pooling, h.hidden_size, h.bidirectional)
        self.output_size = self.pooling.output_size

    def forward(self, x: Steps, lengths_B: Tensor) -> Tensor:
        """Return pooled_BP of texts with at least one token each."""
        if self.training and self.drops_input:
            # Each place loses other features, so places of one word can no longer share its row.
            x = Steps.of(self.input_dropout(x.dense()))
        first, *others = self.layers
        y_BTD = first(x, lengths_B)
        for layer in others:
            y_BTD = layer(Steps.of(self.dropout(y_BTD)), lengths_B)
        pooled: Tensor = self.pooling(y_BTD, lengths_B)
        return pooled
