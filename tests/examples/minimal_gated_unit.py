"""The minimal gated unit (Zhou et al. 2016) as a cell of one's own: one gate forgets and resets.

Shapes: B texts, T tokens, E features, H units; G = 2H numbers, the gate's and then the candidate's.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.kernels.steps import Steps
from trainables.networks.recurrent_layers import RecurrentLayer


class Mgu(RecurrentLayer):
    """A layer in plain PyTorch."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        spread = hidden_size**-0.5
        self.hidden_size = hidden_size
        self.weight_ih = _drawn(spread, 2 * hidden_size, input_size)
        self.weight_hh = _drawn(spread, 2 * hidden_size, hidden_size)
        self.bias = _drawn(spread, 2 * hidden_size)

    def read(self, x: Steps, weight_drop: float) -> Tensor:
        """Return y_BTH, the output of every step."""
        recurrent_GH = functional.dropout(self.weight_hh, weight_drop, self.training)
        to_gate_HH, to_candidate_HH = recurrent_GH.chunk(2)
        inputs_BTG = functional.linear(x.dense(), self.weight_ih, self.bias)
        h_BH = inputs_BTG.new_zeros(inputs_BTG.shape[0], self.hidden_size)
        outputs = []
        for inputs_BG in inputs_BTG.unbind(1):
            gate_BH, candidate_BH = inputs_BG.chunk(2, dim=-1)
            f_BH = torch.sigmoid(gate_BH + functional.linear(h_BH, to_gate_HH))
            c_BH = torch.tanh(candidate_BH + functional.linear(f_BH * h_BH, to_candidate_HH))
            h_BH = torch.lerp(h_BH, c_BH, f_BH)
            outputs.append(h_BH)
        return torch.stack(outputs, dim=1)


def _drawn(spread: float, *shape: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape).uniform_(-spread, spread))
