"""The interface of a recurrent layer: one method.

Shapes: B texts, T tokens of the longest, E features in, H units.
"""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from trainables.kernels.steps import Steps


class RecurrentLayer(nn.Module, ABC):
    """One layer in one direction, created as ``Class(input_size, hidden_size)``.

    Its weights are drawn from torch's global generator. The encoder stacks layers, reverses texts
    for the backward direction, normalises and pools. Texts are padded at their end. A layer reads
    from the start, so it never meets padding before a token. Its outputs after a text's end are
    ignored.
    """

    @abstractmethod
    def read(self, x: Steps, weight_drop: float) -> Tensor:
        """Return y_BTH, the output of every step.

        ``x.dense()`` is the input x_BTE. In training, set a share ``weight_drop`` of the recurrent
        weights to zero for this pass. That is DropConnect on the hidden-to-hidden matrices (Merity
        2018).
        """
