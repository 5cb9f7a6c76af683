"""The input of a recurrent layer: rows, and the place of each in every text.

Shapes: B texts, T tokens, N rows, E features.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Steps:
    """The input at text b and step t is ``rows_NE[index_BT[b, t]]``.

    Rows are ``ordered`` when each of them belongs to one step of one text: first come the rows of
    all texts' first step, then those of the second, and so on.
    """

    rows_NE: Tensor
    index_BT: Tensor
    ordered: bool = False

    @classmethod
    def of(cls, x_BTE: Tensor) -> "Steps":
        """Make steps of inputs that are given one by one."""
        B, T, E = x_BTE.shape
        index_TB = torch.arange(T * B, device=x_BTE.device).view(T, B)
        return cls(x_BTE.transpose(0, 1).reshape(T * B, E), index_TB.t(), ordered=True)

    def dense(self) -> Tensor:
        """Return x_BTE, the input of every step."""
        if self.ordered:
            B, T = self.index_BT.shape
            return self.rows_NE.view(T, B, -1).transpose(0, 1)
        return functional.embedding(self.index_BT, self.rows_NE)

    def turned(self, positions_BT: Tensor) -> "Steps":
        """Return the same rows in another order of steps."""
        return Steps(self.rows_NE, self.index_BT.gather(1, positions_BT))
