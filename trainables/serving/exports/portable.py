"""The network of a model in plain torch, for torch.export: no kernel of ours, no loop unrolled.

Shapes: B texts, T tokens, E features in, H units, G numbers of all gates, D features out, C
outputs.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan
from torch.nn import functional

from trainables.networks.encoders import EncoderLayer
from trainables.networks.network import TextNetwork
from trainables.serving.model import Model

#: From the state of a layer and the gates' inputs of a step to the next state; its first is y_BH.
_Step = Callable[[tuple[Tensor, ...], Tensor], tuple[Tensor, ...]]


class PortableNetwork(nn.Module):
    """Probabilities_BC of a classifier, or values_B of a regression, from ids_BT and lengths_B."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        network = model.network
        assert isinstance(network, TextNetwork)
        self.embedding, self.head = network.embedding, network.head
        self.layers, self.pooling = network.encoder.layers, network.encoder.pooling
        self.cell = network.hyperparameters.cell
        buffers = dict(network.named_buffers())
        self.unit = (
            None if model.config.classes else (float(buffers["mean"]), float(buffers["deviation"]))
        )

    def forward(self, ids_BT: Tensor, lengths_B: Tensor) -> Tensor:
        """Read texts that are padded at their ends."""
        positions_T = torch.arange(ids_BT.shape[1], device=ids_BT.device)
        mirrored_BT = lengths_B[:, None] - 1 - positions_T
        turned_BT = torch.where(mirrored_BT >= 0, mirrored_BT, positions_T)
        y_BTD: Tensor = self.embedding(ids_BT)
        for layer in self.layers:
            assert isinstance(layer, EncoderLayer)
            both = [self._read(layer.forwards, y_BTD)]
            if layer.backwards is not None:
                backwards = self._read(layer.backwards, _in_order(y_BTD, turned_BT))
                both.append(_in_order(backwards, turned_BT))
            y_BTD = layer.norm(torch.cat(both, dim=2))
        outputs_BC: Tensor = self.head(self._pooled(y_BTD, lengths_B))
        if self.unit is None:
            return torch.softmax(outputs_BC, dim=1)
        mean, deviation = self.unit
        return outputs_BC[:, 0].double() * deviation + mean

    def _pooled(self, y_BTD: Tensor, lengths_B: Tensor) -> Tensor:
        pooling = self.pooling
        if pooling.kind != "last" and pooling.kind != "concat":
            pooled: Tensor = pooling(y_BTD, lengths_B)
            return pooled
        # The last state is gathered: to index by a range of rows would fix the number of texts.
        H, last_B11 = pooling.hidden_size, (lengths_B - 1)[:, None, None]
        last_BD = y_BTD.gather(1, last_B11.expand(-1, 1, y_BTD.shape[2]))[:, 0]
        if pooling.bidirectional:
            last_BD = torch.cat([last_BD[:, :H], y_BTD[:, 0, H:]], dim=1)
        if pooling.kind == "last":
            return last_BD
        mask_BT1 = (torch.arange(y_BTD.shape[1]) < lengths_B[:, None])[:, :, None]
        mean_BD = y_BTD.masked_fill(~mask_BT1, 0.0).sum(dim=1) / lengths_B[:, None]
        most_BD = y_BTD.masked_fill(~mask_BT1, -torch.inf).amax(dim=1)
        return torch.cat([last_BD, mean_BD, most_BD], dim=1)

    def _read(self, layer: nn.Module, x_BTE: Tensor) -> Tensor:
        """Return y_BTH of one layer in one direction."""
        to_gates, recurrent, bias, recurrent_bias = (
            getattr(layer, f"{name}_l0")
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        assert isinstance(layer, nn.RNNBase)
        gates_TBG = functional.linear(x_BTE, to_gates, bias).transpose(0, 1)
        zeros_BH = x_BTE.new_zeros(x_BTE.shape[0], layer.hidden_size)
        state = (zeros_BH, zeros_BH.clone()) if self.cell == "lstm" else (zeros_BH,)
        step = _STEPS[self.cell]

        def one(before: tuple[Tensor, ...], gates_BG: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
            after = step(before, gates_BG, functional.linear(before[0], recurrent, recurrent_bias))
            return after, after[0].clone()

        _, y_TBH = scan(one, state, gates_TBG, dim=0)
        found: Tensor = y_TBH.transpose(0, 1)
        return found


def _lstm(state: tuple[Tensor, ...], x_BG: Tensor, h_BG: Tensor) -> tuple[Tensor, ...]:
    enter, forget, new, leave = (x_BG + h_BG).chunk(4, dim=1)
    cell_BH = torch.sigmoid(forget) * state[1] + torch.sigmoid(enter) * torch.tanh(new)
    return torch.sigmoid(leave) * torch.tanh(cell_BH), cell_BH


def _gru(state: tuple[Tensor, ...], x_BG: Tensor, h_BG: Tensor) -> tuple[Tensor, ...]:
    (x_reset, x_keep, x_new), (h_reset, h_keep, h_new) = x_BG.chunk(3, dim=1), h_BG.chunk(3, dim=1)
    keep = torch.sigmoid(x_keep + h_keep)
    new = torch.tanh(x_new + torch.sigmoid(x_reset + h_reset) * h_new)
    return ((1.0 - keep) * new + keep * state[0],)


def _elman(state: tuple[Tensor, ...], x_BG: Tensor, h_BG: Tensor) -> tuple[Tensor, ...]:
    return (torch.tanh(x_BG + h_BG),)


_STEPS = {"lstm": _lstm, "gru": _gru, "rnn": _elman}


def _in_order(x_BTE: Tensor, positions_BT: Tensor) -> Tensor:
    return x_BTE.gather(1, positions_BT[:, :, None].expand(-1, -1, x_BTE.shape[2]))


def to_torch_export(model: Model, path: str) -> None:
    """Write a program that ``torch.export.load`` runs, over any number of texts and tokens."""
    network = PortableNetwork(model).eval()
    texts, tokens = torch.export.Dim("texts"), torch.export.Dim("tokens")
    example = (torch.ones(3, 7, dtype=torch.int64), torch.tensor([7, 3, 1]))
    with torch.no_grad():
        program = torch.export.export(
            network, example, dynamic_shapes=({0: texts, 1: tokens}, {0: texts})
        )
    torch.export.save(program, path)
