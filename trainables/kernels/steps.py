"""The input of a recurrent layer: rows of features, and which row each step of a text reads.

Shapes: B texts, T tokens, N rows, E features.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional


@dataclass(frozen=True)
class Steps:
    """Inputs of all steps: text b reads ``rows_NE[index_BT[b, t]]`` at step t.

    Attributes:
        rows_NE: the rows, such as one for each different word.
        index_BT: the row of every step.
        ordered: whether each row belongs to one step of one text, in the order of steps. First come
            the rows of all texts' first step, then those of the second, and so on.
    """

    rows_NE: Tensor
    index_BT: Tensor
    ordered: bool = False

    @classmethod
    def of(cls, x_BTE: Tensor) -> "Steps":
        """Return steps that each have a row of their own."""
        B, T, E = x_BTE.shape
        index_TB = torch.arange(T * B, device=x_BTE.device).view(T, B)
        return cls(x_BTE.transpose(0, 1).reshape(T * B, E), index_TB.t(), ordered=True)

    def dense(self) -> Tensor:
        """Return x_BTE, the inputs of all steps."""
        if self.ordered:
            B, T = self.index_BT.shape
            return self.rows_NE.view(T, B, -1).transpose(0, 1)
        return functional.embedding(self.index_BT, self.rows_NE)

    def turned(self, positions_BT: Tensor) -> "Steps":
        """Return steps in another order: step t of text b is the old ``positions_BT[b, t]``.

        To turn the result the same way gives these steps again, as a reversal does.
        """
        if self.ordered and self.rows_NE.device.type != "cpu":
            return self._exchanged(positions_BT)
        # On a CPU our kernels gather rows anyway.
        return Steps(self.rows_NE, self.index_BT.gather(1, positions_BT))

    def _exchanged(self, positions_BT: Tensor) -> "Steps":
        order_N = self.index_BT.gather(1, positions_BT).t().flatten()
        rows_NE = _Exchanged.apply(self.rows_NE, order_N)  # type: ignore[no-untyped-call]
        return Steps(rows_NE, self.index_BT, ordered=True)


def exchanged(y_BTE: Tensor, positions_BT: Tensor) -> Tensor:
    """Return outputs in another order, as ``Steps.turned`` does with inputs."""
    return Steps.of(y_BTE)._exchanged(positions_BT).dense()


class _Exchanged(torch.autograd.Function):
    """Rows in an order that undoes itself, so its gradient is the same gather.

    The backward pass of torch's own indexing sorts, because rows might be read twice.
    """

    @staticmethod
    def forward(ctx: Any, rows_NE: Tensor, order_N: Tensor) -> Tensor:
        ctx.save_for_backward(order_N)
        return rows_NE.index_select(0, order_N)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_NE: Tensor) -> tuple[Tensor, None]:
        (order_N,) = ctx.saved_tensors
        return d_NE.index_select(0, order_N), None
