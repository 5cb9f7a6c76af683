"""The recurrence on a CPU: an own forward and backward pass over time, on gates computed before.

A batch holds the same words many times (12,000 tokens of IMDB are 2,300 different ones), so the
input's share of the gates is computed once a word and gathered, which leaves half of the
arithmetic of an LSTM whose embedding is as wide as its state. What remains is one small product
and one pass over the gates at each time; ``recurrence.cpp`` does both while they are in the cache.

Equations: LSTM, Hochreiter & Schmidhuber 1997 with forget gates (Gers 2000); GRU, Cho 2014, the
reset gate behind the product as in cuDNN; Elman 1990.

Shapes: B texts, T tokens, N rows, E features in, H units, G numbers of all gates (H, 3H or 4H),
K rows and C columns of a matrix.
"""

import ctypes
import math
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from trainables.native import compiled
from trainables.steps import Steps

_SOURCE = Path(__file__).with_suffix(".cpp")

#: Columns that the library multiplies together: units come in multiples of it.
_PANEL = 16
#: Texts of one call: multiples of the rows that it multiplies together, few enough for the cache.
_TILE, _BLOCK = 12, 48
_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1}
_FUNCTIONS = {"LSTM": "lstm", "GRU": "gru", "RNN_TANH": "elman"}


class _Pass(ctypes.Structure):
    """What one pass over time reads and writes, as ``recurrence.cpp`` has it."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("T", "B", "H", "dy_T", "dy_B")),
        *((name, ctypes.c_void_p) for name in ("gates_NG", "weights", "bias_H", "dy_TBH")),
        *((name, ctypes.c_void_p) for name in ("index_TB", "gates_TBG", "y_TBH", "kept_TBH")),
    ]


def is_own(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether recurrences are computed here by our code, not by torch's."""
    return device.type == "cpu" and dtype == torch.float32 and compiled(_SOURCE) is not None


def _run(name: str, B: int, numbers: dict[str, int], tensors: dict[str, Tensor]) -> None:
    """One pass of all texts, a block of them at a time in each thread."""
    places = {field: tensor.data_ptr() for field, tensor in tensors.items()}
    given = ctypes.byref(_Pass(B=B, **numbers, **places))
    function, threads = getattr(compiled(_SOURCE), name), torch.get_num_threads()
    block = min(_BLOCK, _TILE * math.ceil(B / threads / _TILE))

    def run_from(first: int) -> None:
        function(given, ctypes.c_int64(first), ctypes.c_int64(min(first + block, B)))

    firsts = range(0, B, block)
    for _ in _pool(threads).map(run_from, firsts) if threads > 1 else map(run_from, firsts):
        pass


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "recurrence")


def _panels(weight_KC: Tensor) -> Tensor:
    """The matrix as the library reads it: panel by panel, each row by row."""
    K, C = weight_KC.shape
    return weight_KC.reshape(K, C // _PANEL, _PANEL).transpose(0, 1).flatten()


class _Recurrence(torch.autograd.Function):
    """From gates without the state's share, a row a word, to the outputs of every step."""

    @staticmethod
    def forward(
        ctx: Any,
        mode: str,
        gates_NG: Tensor,
        index_TB: Tensor,
        ordered: bool,
        *weights: Tensor,
    ) -> Tensor:
        """y_TBH. Gates of rows that are ``ordered`` are overwritten."""
        weight_GH, bias_H = weights
        (T, B), (G, H) = index_TB.shape, weight_GH.shape
        gates_TBG = gates_NG.view(T, B, G) if ordered else gates_NG.new_empty(T, B, G)
        y_TBH = gates_NG.new_empty(T, B, H)
        kept_TBH = y_TBH if mode == "RNN_TANH" else torch.empty_like(y_TBH)
        tensors = {"gates_NG": gates_NG, "index_TB": index_TB, "bias_H": bias_H}
        tensors |= {"gates_TBG": gates_TBG, "y_TBH": y_TBH, "kept_TBH": kept_TBH}
        tensors["weights"] = _panels(weight_GH.t())
        _run(_FUNCTIONS[mode], B, {"T": T, "H": H}, tensors)
        ctx.mode, ctx.ordered, ctx.rows = mode, ordered, len(gates_NG)
        ctx.save_for_backward(y_TBH, index_TB, weight_GH)
        ctx.own = gates_TBG, kept_TBH  # nobody else has seen these
        return y_TBH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy_TBH: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the rows' gates, the recurrent weights, the candidate's bias."""
        if ctx.own is None:
            raise RuntimeError("a recurrence goes backward once: its gates are overwritten")
        y_TBH, index_TB, weight_GH = ctx.saved_tensors
        (gates_TBG, kept_TBH), ctx.own = ctx.own, None
        (T, B), (G, H) = index_TB.shape, weight_GH.shape
        dy_TBH = dy_TBH if dy_TBH.stride(2) == 1 else dy_TBH.contiguous()
        tensors = {"dy_TBH": dy_TBH, "y_TBH": y_TBH, "kept_TBH": kept_TBH, "gates_TBG": gates_TBG}
        # What a GRU's candidate gets of the state stands behind a gate, and is kept apart.
        with_state = 2 * H if ctx.mode == "GRU" else G
        tensors["weights"] = torch.cat([_panels(part) for part in weight_GH.split(with_state)])
        numbers = {"T": T, "H": H, "dy_T": dy_TBH.stride(0), "dy_B": dy_TBH.stride(1)}
        _run(f"{_FUNCTIONS[ctx.mode]}_back", B, numbers, tensors)
        before_KH = y_TBH[:-1].reshape(-1, H)
        d_weight_GH = gates_TBG[1:].reshape(-1, G)[:, :with_state].t() @ before_KH
        d_bias_H = None
        if ctx.mode == "GRU":
            of_candidate = kept_TBH[1:].reshape(-1, H).t() @ before_KH
            d_weight_GH = torch.cat([d_weight_GH, of_candidate])
            d_bias_H = kept_TBH.sum((0, 1))
        d_NG = gates_TBG.view(-1, G)
        if not ctx.ordered:
            d_NG = torch.ops.aten.embedding_dense_backward(
                d_NG, index_TB.flatten(), ctx.rows, -1, False
            )
        return None, d_NG, None, None, d_weight_GH, d_bias_H


def recur(cell: nn.RNNBase, x: Steps) -> Tensor:
    """What a cell of one layer and one direction gives for every step: y_BTH.

    ``cell(x.dense())[0]`` to 1e-6 or so. Our own on a CPU with a C++ compiler, in float32, and for
    one backward pass; elsewhere, and in bfloat16, torch's own.
    """
    if torch.is_autocast_enabled("cpu") or not is_own(x.rows_NE.device, x.rows_NE.dtype):
        y_BTH: Tensor = cell(x.dense())[0]
        return y_BTH
    gates, extra = _GATES[cell.mode], -cell.hidden_size % _PANEL
    weight_GE, weight_GH, bias_G, hidden_bias_G = (
        _with_idle_units(weight, gates, extra) for weight in cast(list[Tensor], cell._flat_weights)
    )
    weight_GH = functional.pad(weight_GH, (0, extra))
    H = weight_GH.shape[1]
    inner_H = hidden_bias_G.new_zeros(0)
    if cell.mode == "GRU":  # the candidate's own bias stands behind the reset gate
        inner_H = hidden_bias_G[2 * H :]
        hidden_bias_G = functional.pad(hidden_bias_G[: 2 * H], (0, H))
    gates_NG = functional.linear(x.rows_NE, weight_GE, bias_G + hidden_bias_G)
    index_TB = x.index_BT.t().contiguous()
    y_TBH: Tensor = _Recurrence.apply(  # type: ignore[no-untyped-call]
        cell.mode, gates_NG, index_TB, x.ordered, weight_GH, inner_H
    )
    return y_TBH[..., : cell.hidden_size].transpose(0, 1)


def _with_idle_units(weight: Tensor, gates: int, extra: int) -> Tensor:
    """Rows of zeros behind each gate's own: units whose state stays zero."""
    if extra == 0:
        return weight
    behind = [0, 0] * (weight.dim() - 1) + [0, extra]
    return functional.pad(weight.view(gates, -1, *weight.shape[1:]), behind).flatten(0, 1)
