"""Matrix products of very many rows on a CPU.

In bfloat16 oneDNN compiles code for every shape that it meets, 0.4 to 0.7 MB each, and keeps it for
good. No two batches have the same number of tokens, so an epoch over IMDB would cost gigabytes.
Therefore bfloat16 products are computed in chunks of a fixed number of rows. The rows left over are
multiplied in float32.

Shapes: N rows, K and C columns.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

#: Rows of a chunk. On one core 8,192 instead of 1,024 made no difference beyond chance.
_ROWS = 1024


def linear(x_NK: Tensor, weight_CK: Tensor, bias_C: Tensor) -> Tensor:
    """Return y_NC = ``x_NK @ weight_CK.T + bias_C``; all of them have one dtype."""
    if x_NK.dtype == torch.bfloat16:
        y_NC: Tensor = _Linear.apply(x_NK, weight_CK, bias_C)  # type: ignore[no-untyped-call]
        return y_NC
    return functional.linear(x_NK, weight_CK, bias_C)


def sum_of_outer_products(a_NK: Tensor, b_NC: Tensor) -> Tensor:
    """Return sum_KC = ``a_NK.T @ b_NC``, both of one dtype; chunks are added up in float32."""
    if a_NK.dtype != torch.bfloat16:
        return a_NK.t() @ b_NC
    sum_KC = a_NK.new_zeros(a_NK.shape[1], b_NC.shape[1], dtype=torch.float32)
    with torch.autocast("cpu", enabled=False):  # or it would turn the rest into bfloat16 again
        for some in _row_ranges(len(a_NK)):
            a, b = (_as_multiplied(x) for x in (a_NK[some], b_NC[some]))
            sum_KC += a.t() @ b
    return sum_KC.to(a_NK.dtype)


class _Linear(torch.autograd.Function):
    """``linear`` in bfloat16, forward and backward in chunks."""

    @staticmethod
    def forward(ctx: Any, x_NK: Tensor, weight_CK: Tensor, bias_C: Tensor) -> Tensor:
        ctx.save_for_backward(x_NK, weight_CK)
        return _product(x_NK, weight_CK.t()).add_(bias_C)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_NC: Tensor) -> tuple[Tensor | None, ...]:
        x_NK, weight_CK = ctx.saved_tensors
        d_x = _product(d_NC, weight_CK) if ctx.needs_input_grad[0] else None
        return d_x, sum_of_outer_products(d_NC, x_NK), d_NC.sum(0)


def _product(a_NK: Tensor, b_KC: Tensor) -> Tensor:
    """Return y_NC = ``a_NK @ b_KC``, computed in chunks."""
    y_NC = a_NK.new_empty(len(a_NK), b_KC.shape[1])
    with torch.autocast("cpu", enabled=False):  # or it would turn the rest into bfloat16 again
        for some in _row_ranges(len(a_NK)):
            a = _as_multiplied(a_NK[some])
            y_NC[some] = a @ b_KC.to(a.dtype)
    return y_NC


def _row_ranges(count: int) -> Iterator[slice]:
    """Yield ranges of ``_ROWS`` rows each, and one of the rows left over."""
    return (slice(first, min(first + _ROWS, count)) for first in range(0, count, _ROWS))


def _as_multiplied(rows: Tensor) -> Tensor:
    """Return a whole chunk as it is, and the rows left over in float32."""
    return rows if len(rows) == _ROWS else rows.float()
