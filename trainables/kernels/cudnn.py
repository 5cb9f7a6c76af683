"""torch's own recurrent layers where our kernels do not serve: by cuDNN on a GPU.

cuDNN reads all weights of a layer from one piece of memory, and torch keeps them so. Weights that
were changed for one pass, by dropout or by a cast, lie anywhere: torch would gather them again in
each pass, and warn. They are put side by side here, as views of one buffer.

Shapes: B texts, T tokens, E features, H units.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn


def recur_by_torch(cell: nn.RNNBase, x_BTE: Tensor, dtype: torch.dtype) -> Tensor:
    """Run torch's layer in ``dtype``; return y_BTH."""
    weights, parameters = cast(list[Tensor], cell._flat_weights), list(cell.parameters())
    untouched = all(a is b for a, b in zip(weights, parameters, strict=True))
    if x_BTE.device.type == "cpu" or (untouched and weights[0].dtype == dtype):
        y_BTH: Tensor = cell(x_BTE)[0]
        return y_BTH
    # autocast would cast a recurrent layer to float16, whatever it is set to.
    without = torch.autocast(x_BTE.device.type, enabled=False)
    with reading(cell, side_by_side(weights, dtype)), without:
        y_BTH = cell(x_BTE.to(dtype))[0]
    return y_BTH


@contextmanager
def reading(cell: nn.RNNBase, weights: list[Any]) -> Iterator[None]:
    """Let passes within the block read these weights; the parameters stay what they are."""
    # torch's forward pass and ``recur`` read the weights from here.
    own, cell._flat_weights = cell._flat_weights, weights
    try:
        yield
    finally:
        cell._flat_weights = own


def side_by_side(weights: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """Return the weights in ``dtype``, in their order, as views of one buffer."""
    flat = torch.cat([weight.reshape(-1) for weight in weights]).to(dtype)
    parts = torch.split(flat, [weight.numel() for weight in weights])
    return [part.view_as(weight) for part, weight in zip(parts, weights, strict=True)]
