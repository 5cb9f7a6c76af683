"""torch's three recurrent layers, computed by our kernels on a CPU and by cuDNN on a GPU.

The weights are torch's own, under torch's names, whichever code computes. So checkpoints do not
depend on it.

Shapes: B texts, T tokens, H units.
"""

from contextlib import AbstractContextManager
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from trainables.kernels.cudnn import reading
from trainables.kernels.recurrence import recur
from trainables.kernels.steps import Steps
from trainables.networks.recurrent_layers import RecurrentLayer


class Elman(RecurrentLayer, nn.RNN):
    """The simple recurrent network with tanh (Elman 1990)."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        nn.RNN.__init__(self, input_size, hidden_size, batch_first=True)

    def read(self, x: Steps, weight_drop: float) -> Tensor:
        """Return y_BTH, the output of every step."""
        return _read(self, x, weight_drop)


class Gru(RecurrentLayer, nn.GRU):
    """GRU (Cho 2014), with the reset gate applied after the product, as in cuDNN."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        nn.GRU.__init__(self, input_size, hidden_size, batch_first=True)

    def read(self, x: Steps, weight_drop: float) -> Tensor:
        """Return y_BTH, the output of every step."""
        return _read(self, x, weight_drop)


class Lstm(RecurrentLayer, nn.LSTM):
    """LSTM (Hochreiter & Schmidhuber 1997), with forget gates (Gers 2000)."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        nn.LSTM.__init__(self, input_size, hidden_size, batch_first=True)

    def read(self, x: Steps, weight_drop: float) -> Tensor:
        """Return y_BTH, the output of every step."""
        return _read(self, x, weight_drop)


def _read(layer: nn.RNNBase, x: Steps, weight_drop: float) -> Tensor:
    with dropped_weights(layer, weight_drop):
        return recur(layer, x)


def dropped_weights(layer: nn.RNNBase, share: float) -> AbstractContextManager[None]:
    """Zero a share of the recurrent weights within a block, in training only.

    The other recurrent weights are scaled up.
    """
    whole = cast(list[Tensor], layer._flat_weights)
    if not layer.training or share == 0:
        return reading(layer, whole)
    to_gates, recurrent, *biases = whole
    return reading(layer, [to_gates, functional.dropout(recurrent, share), *biases])
