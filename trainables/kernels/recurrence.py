"""The recurrence on a CPU: our own forward and backward pass over time.

A batch holds the same words many times: 12,000 tokens of IMDB are 2,300 different words. So the
product of the input with the gates' weights is computed once for each different word and gathered.
That leaves half of the arithmetic of an LSTM whose embedding is as wide as its state. One small
product and one pass over the gates remain for each step. ``recurrence.cpp`` does both while they
are in the cache.

In bfloat16, the factors of products and the activations kept are bfloat16. Sums, an LSTM's cell
states and a GRU's running state stay float32, or steps of a thousandth would be lost.

Equations: LSTM, Hochreiter & Schmidhuber 1997 with forget gates (Gers 2000); GRU, Cho 2014, with
the reset gate applied after the product, as in cuDNN; Elman 1990.

Shapes: B texts, T tokens, N rows (different inputs), E features of an input, H units, G numbers of
all gates (H, 3H or 4H), K rows and C columns of a matrix.
"""

import ctypes
import math
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from trainables.kernels.chunked_matmul import linear, sum_of_outer_products
from trainables.kernels.cudnn import recur_by_torch
from trainables.kernels.native import RECURRENCE, compiled
from trainables.kernels.steps import Steps

#: Columns that the library multiplies together (``PANEL`` in simd.h). Units are padded to a
#: multiple of it.
_PANEL = 16
#: A call takes a multiple of ``_TILE`` texts, and ``_BLOCK`` at most, few enough for the cache.
#: The last call takes the rest.
#: ``_TILE`` is a multiple of the rows that the library multiplies together on any processor
#: (``TILE`` in simd.h).
_TILE, _BLOCK = 12, 48
#: By the ``mode`` of torch's layer: its gates and candidates, and the library's function.
_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1}
_FUNCTIONS = {"LSTM": "lstm", "GRU": "gru", "RNN_TANH": "elman"}
#: The library's type of numbers, which ends the names of its functions, by dtype.
_NUMBERS = {torch.float32: "float", torch.bfloat16: "bfloat16"}


class _Pass(ctypes.Structure):
    """Arguments of a pass over time, field by field as in ``recurrence.cpp``."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("T", "B", "H", "dy_T", "dy_B")),
        *((name, ctypes.c_void_p) for name in ("gates_NG", "weights", "bias_H", "dy_TBH")),
        *((name, ctypes.c_void_p) for name in ("index_TB", "gates_TBG", "y_TBH", "kept_TBH")),
    ]


class _Sum(ctypes.Structure):
    """Arguments of a sum of rows, field by field as in ``recurrence.cpp``."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("K", "C")),
        *((name, ctypes.c_void_p) for name in ("from_KC", "index_K", "sums_NC")),
    ]


def has_native_kernel(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether our code, not torch's, computes recurrences of a dtype on a device."""
    return device.type == "cpu" and _function("lstm", dtype) is not None


def _function(name: str, dtype: torch.dtype) -> Any:
    """Return the library's function for a dtype; None without such a function or a library."""
    return getattr(compiled(RECURRENCE), f"{name}_{_NUMBERS.get(dtype)}", None)


def _run(name: str, given: ctypes.Structure, dtype: torch.dtype, count: int, block: int) -> None:
    """Run the library's function over ``count`` texts or columns, each thread a block at a time."""
    function, threads = _function(name, dtype), torch.get_num_threads()

    def run_from(first: int) -> None:
        last = min(first + block, count)
        # ctypes releases the interpreter's lock meanwhile, so threads run in parallel.
        if function(ctypes.byref(given), ctypes.c_int64(first), ctypes.c_int64(last)):
            raise MemoryError(f"{name}: no memory for the states of {last - first} texts")

    firsts = range(0, count, block)
    # The loop waits for every block, and raises its error if it had one.
    for _ in _pool(threads).map(run_from, firsts) if threads > 1 else map(run_from, firsts):
        pass


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "recurrence")


def _pass_over(name: str, dtype: torch.dtype, numbers: dict[str, int], **tensors: Tensor) -> None:
    """Run one pass over all texts; ``numbers`` and ``tensors`` are fields of ``_Pass``."""
    T, B = tensors["index_TB"].shape
    places = {field: tensor.data_ptr() for field, tensor in tensors.items()}
    block = min(_BLOCK, _share(B, _TILE))
    _run(name, _Pass(T=T, B=B, **numbers, **places), dtype, B, block)


def _sums_of_rows(from_KC: Tensor, index_K: Tensor, count: int) -> Tensor:
    """Return sums_NC: add each row of from_KC, in float32, to the row that index_K names."""
    K, C = from_KC.shape
    sums_NC = from_KC.new_zeros(count, C, dtype=torch.float32)
    tensors = {"from_KC": from_KC, "index_K": index_K, "sums_NC": sums_NC}
    places = {field: tensor.data_ptr() for field, tensor in tensors.items()}
    # Threads share the columns, not the rows, so no two of them add to the same number.
    _run("sum_rows", _Sum(K=K, C=C, **places), from_KC.dtype, C, _share(C, _PANEL))
    return sums_NC.to(from_KC.dtype)


def _share(count: int, unit: int) -> int:
    """Return one thread's share of ``count``, rounded up to whole units."""
    return unit * math.ceil(count / torch.get_num_threads() / unit)


def _panels(weight_KC: Tensor) -> Tensor:
    """Return a matrix in the layout that the library reads.

    Panels of ``_PANEL`` columns follow one another. In a panel, as many rows as fill 32 bits are
    interleaved, number by number: two of bfloat16, one of float32.
    """
    (K, C), together = weight_KC.shape, 4 // weight_KC.itemsize
    split = weight_KC.reshape(K // together, together, C // _PANEL, _PANEL)
    return split.permute(2, 0, 3, 1).flatten()


class _Recurrence(torch.autograd.Function):
    """A pass over time: from the input's share of the gates, a row a word, to all outputs."""

    @staticmethod
    def forward(
        ctx: Any,
        mode: str,
        gates_NG: Tensor,
        index_TB: Tensor,
        ordered: bool,
        *weights: Tensor,
    ) -> Tensor:
        """Return y_TBH; if rows are ``ordered``, the gates' values take the place of gates_NG."""
        weight_GH, bias_H = weights
        (T, B), (G, H) = index_TB.shape, weight_GH.shape
        # ``linear`` made gates_NG and does not need it for its backward pass.
        gates_TBG = gates_NG.view(T, B, G) if ordered else gates_NG.new_empty(T, B, G)
        y_TBH = gates_NG.new_empty(T, B, H)
        # An Elman network keeps nothing but its outputs.
        kept = torch.float32 if mode == "LSTM" else y_TBH.dtype
        kept_TBH = y_TBH if mode == "RNN_TANH" else torch.empty_like(y_TBH, dtype=kept)
        _pass_over(
            _FUNCTIONS[mode],
            gates_NG.dtype,
            {"H": H},
            gates_NG=gates_NG,
            weights=_panels(weight_GH.t()),
            bias_H=bias_H,
            index_TB=index_TB,
            gates_TBG=gates_TBG,
            y_TBH=y_TBH,
            kept_TBH=kept_TBH,
        )
        ctx.mode, ctx.ordered, ctx.rows = mode, ordered, len(gates_NG)
        ctx.save_for_backward(y_TBH, index_TB, weight_GH)
        # The backward pass overwrites these. Nobody else has seen them, so it may.
        ctx.own = gates_TBG, None if kept_TBH is y_TBH else kept_TBH
        return y_TBH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy_TBH: Tensor) -> tuple[Tensor | None, ...]:
        """Return gradients of the rows' gates, the recurrent weights and the candidate's bias."""
        if ctx.own is None:
            raise RuntimeError("a recurrence goes backward once: its gates are overwritten")
        y_TBH, index_TB, weight_GH = ctx.saved_tensors
        (gates_TBG, kept_TBH), ctx.own = ctx.own, None
        kept_TBH = y_TBH if kept_TBH is None else kept_TBH
        G, H = weight_GH.shape
        # The library takes any strides of steps and texts, but units side by side.
        dy_TBH = dy_TBH if dy_TBH.stride(2) == 1 else dy_TBH.contiguous()
        # The state reaches a GRU's candidate through the reset gate. So the gradient of the state's
        # share differs from that of the candidate itself, and stands in kept_TBH.
        with_state = 2 * H if ctx.mode == "GRU" else G
        _pass_over(
            f"{_FUNCTIONS[ctx.mode]}_back",
            y_TBH.dtype,
            {"H": H, "dy_T": dy_TBH.stride(0), "dy_B": dy_TBH.stride(1)},
            weights=torch.cat([_panels(part) for part in weight_GH.split(with_state)]),
            dy_TBH=dy_TBH,
            index_TB=index_TB,
            gates_TBG=gates_TBG,
            y_TBH=y_TBH,
            kept_TBH=kept_TBH,
        )
        # The state before the first step is zero and adds nothing to the weights' gradients.
        before_KH = y_TBH[:-1].reshape(-1, H)
        d_gates_KG = gates_TBG[1:].reshape(-1, G)[:, :with_state]
        d_weight_GH = sum_of_outer_products(d_gates_KG, before_KH)
        d_bias_H = None
        if ctx.mode == "GRU":
            of_candidate = sum_of_outer_products(kept_TBH[1:].reshape(-1, H), before_KH)
            d_weight_GH = torch.cat([d_weight_GH, of_candidate])
            d_bias_H = kept_TBH.sum((0, 1))
        d_NG = gates_TBG.view(-1, G)
        if not ctx.ordered:  # a word's gradient is the sum over its places
            d_NG = _sums_of_rows(d_NG, index_TB.flatten(), ctx.rows)
        return None, d_NG, None, None, d_weight_GH, d_bias_H


def recur(cell: nn.RNNBase, x: Steps) -> Tensor:
    """Run a layer of one direction over texts; return y_BTH.

    The result is ``cell(x.dense())[0]``, in float32 to 1e-6 or so. Our code computes it on a CPU
    with a C++ compiler: in float32, or in bfloat16 where autocast asks for it and the processor has
    it. One backward pass is possible. Elsewhere torch's layer computes it.
    """
    dtype, device = x.rows_NE.dtype, x.rows_NE.device
    if torch.is_autocast_enabled(device.type) and dtype == torch.float32:
        dtype = torch.get_autocast_dtype(device.type)
    if not has_native_kernel(device, dtype):
        return recur_by_torch(cell, x.dense(), dtype)
    gates, extra = _GATES[cell.mode], -cell.hidden_size % _PANEL
    # These are what torch's layer itself reads. Weight drop replaces them for one forward pass.
    weight_GE, weight_GH, bias_G, hidden_bias_G = (
        _with_idle_units(weight, gates, extra) for weight in cast(list[Tensor], cell._flat_weights)
    )
    weight_GH = functional.pad(weight_GH, (0, extra))
    H = weight_GH.shape[1]
    inner_H = hidden_bias_G.new_zeros(0)
    if cell.mode == "GRU":  # the reset gate scales the candidate's hidden bias: keep it apart
        inner_H = hidden_bias_G[2 * H :]
        hidden_bias_G = functional.pad(hidden_bias_G[: 2 * H], (0, H))
    bias_G = bias_G + hidden_bias_G
    gates_NG = linear(x.rows_NE.to(dtype), weight_GE.to(dtype), bias_G.to(dtype))
    index_TB = x.index_BT.t().contiguous()
    y_TBH: Tensor = _Recurrence.apply(  # type: ignore[no-untyped-call]
        cell.mode, gates_NG, index_TB, x.ordered, weight_GH.to(dtype), inner_H.to(dtype)
    )
    return y_TBH[..., : cell.hidden_size].transpose(0, 1)


def _with_idle_units(weight: Tensor, gates: int, extra: int) -> Tensor:
    """Append ``extra`` rows of zeros to each gate: idle units, whose state stays zero."""
    if extra == 0:
        return weight
    behind = [0, 0] * (weight.dim() - 1) + [0, extra]
    return functional.pad(weight.view(gates, -1, *weight.shape[1:]), behind).flatten(0, 1)
