"""The recurrence on a CPU: an own forward and backward pass over time, on gates computed before.

A batch holds the same words many times (12,000 tokens of IMDB are 2,300 different ones), so the
input's share of the gates is computed once a word and gathered, which leaves half of the
arithmetic of an LSTM whose embedding is as wide as its state. What remains is one small product
and a few element-wise steps at each time, compiled by TorchScript: half the time of the same loop
in Python. Against ``nn.LSTM`` (oneDNN) a whole epoch is 1.2 times as fast for the lecture's model
and 1.5 times at 128 units (``tests/benchmarks/throughput.py``). The GPU keeps cuDNN.

Every tanh is taken as 2 sigmoid(2x) - 1, at a third of the time, all gates at once; the doubling
is in the weights. Equations: LSTM, Hochreiter & Schmidhuber 1997 with forget gates (Gers 2000);
GRU, Cho 2014, the reset gate behind the product as in cuDNN; Elman 1990.

Shapes: B texts, T tokens, N rows, E features in, H units, G numbers of all gates (H, 3H or 4H).
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from trainables.steps import Steps

_Loop = TypeVar("_Loop", bound=Callable[..., Any])


def _compiled(loop: _Loop) -> _Loop:
    """Without Python between the steps. Deprecated in torch, and nothing else takes its place
    where there is no C++ compiler; without it the loop is slower and the same."""
    return cast(_Loop, torch.jit.script(loop))


@_compiled
def _lstm(gates_TBG: Tensor, weight_HG: Tensor, bias_H: Tensor) -> list[Tensor]:
    """Outputs, doubled states and their tanh; leaves the open gates in ``gates_TBG``."""
    T, B, G = gates_TBG.shape
    y_TBH = gates_TBG.new_empty([T, B, G // 4])
    c_TBH, tanh_TBH = torch.empty_like(y_TBH), torch.empty_like(y_TBH)
    minus_one, minus_two = torch.tensor(-1.0), torch.tensor(-2.0)
    new_BH = torch.empty_like(y_TBH[0])
    for t in range(T):
        a_BG, c_BH, tanh_BH = gates_TBG[t], c_TBH[t], tanh_TBH[t]
        if t > 0:
            a_BG.addmm_(y_TBH[t - 1], weight_HG)
        a_BG.sigmoid_()
        i, f, g, o = a_BG.chunk(4, 1)
        torch.add(minus_two, g, alpha=4, out=new_BH)
        if t > 0:
            torch.mul(f, c_TBH[t - 1], out=c_BH)
            c_BH.addcmul_(i, new_BH)
        else:
            torch.mul(i, new_BH, out=c_BH)
        torch.sigmoid(c_BH, out=tanh_BH)
        torch.add(minus_one, tanh_BH, alpha=2, out=tanh_BH)
        torch.mul(o, tanh_BH, out=y_TBH[t])
    return [y_TBH, c_TBH, tanh_TBH]


@_compiled
def _lstm_back(
    dy_TBH: Tensor, gates_TBG: Tensor, weight_GH: Tensor, kept: list[Tensor]
) -> list[Tensor]:
    """Gradients of the recurrent weights and bias; leaves those of the gates in ``gates_TBG``."""
    y_TBH, c_TBH, tanh_TBH = kept[0], kept[1], kept[2]
    T, G = gates_TBG.shape[0], gates_TBG.shape[2]
    H = G // 4
    minus_two, zero = torch.tensor(-2.0), torch.tensor(0.0)
    dy_BH, dc_BH = torch.zeros_like(c_TBH[0]), torch.zeros_like(c_TBH[0])
    new_BH, d_BG = torch.empty_like(dy_BH), torch.empty_like(gates_TBG[0])
    di, df, dg, do = d_BG.chunk(4, 1)
    for back in range(T):
        t = T - 1 - back
        a_BG, tanh_BH = gates_TBG[t], tanh_TBH[t]
        i, f, g, o = a_BG.chunk(4, 1)
        if back > 0:
            torch.addmm(dy_TBH[t], gates_TBG[t + 1], weight_GH, out=dy_BH)
        else:
            dy_BH.copy_(dy_TBH[t])
        torch.ops.aten.tanh_backward(dy_BH, tanh_BH, grad_input=new_BH)
        dc_BH.addcmul_(new_BH, o, value=0.5)  # of the doubled state
        torch.mul(dy_BH, tanh_BH, out=do)
        torch.add(minus_two, g, alpha=4, out=new_BH)
        torch.mul(dc_BH, new_BH, out=di)
        torch.addcmul(zero, dc_BH, i, value=4, out=dg)
        if t > 0:
            torch.mul(dc_BH, c_TBH[t - 1], out=df)
        else:
            df.zero_()
        dc_BH.mul_(f)
        torch.ops.aten.sigmoid_backward(d_BG, a_BG, grad_input=a_BG)
    before_NH, later_NG = y_TBH[:-1].reshape(-1, H), gates_TBG[1:].reshape(-1, G)
    return [later_NG.t() @ before_NH, y_TBH.new_zeros([0])]


@_compiled
def _gru(gates_TBG: Tensor, weight_HG: Tensor, bias_H: Tensor) -> list[Tensor]:
    """Outputs, and the state's share of the candidate; leaves the open gates in ``gates_TBG``."""
    T, B, G = gates_TBG.shape
    H = G // 3
    y_TBH = gates_TBG.new_empty([T, B, H])
    share_TBH = torch.empty_like(y_TBH)
    minus_one, zero_BH = torch.tensor(-1.0), torch.zeros_like(y_TBH[0])
    new_BH = torch.empty_like(zero_BH)
    to_gates, to_candidate = weight_HG[:, : 2 * H], weight_HG[:, 2 * H :]
    for t in range(T):
        a_BG, share_BH = gates_TBG[t], share_TBH[t]
        r, z, n = a_BG.chunk(3, 1)
        before_BH = y_TBH[t - 1] if t > 0 else zero_BH
        gates_BI = a_BG[:, : 2 * H]
        gates_BI.addmm_(before_BH, to_gates)
        gates_BI.sigmoid_()
        torch.addmm(bias_H, before_BH, to_candidate, out=share_BH)
        n.addcmul_(r, share_BH)
        n.sigmoid_()
        torch.add(minus_one, n, alpha=2, out=new_BH)
        torch.lerp(new_BH, before_BH, z, out=y_TBH[t])
    return [y_TBH, share_TBH]


@_compiled
def _gru_back(
    dy_TBH: Tensor, gates_TBG: Tensor, weight_GH: Tensor, kept: list[Tensor]
) -> list[Tensor]:
    """Gradients of the recurrent weights and bias; leaves those of the gates in ``gates_TBG``."""
    y_TBH, share_TBH = kept[0], kept[1]
    T, G = gates_TBG.shape[0], gates_TBG.shape[2]
    H = G // 3
    minus_one = torch.tensor(-1.0)
    zero_BH = torch.zeros_like(y_TBH[0])
    dy_BH, new_BH = torch.zeros_like(zero_BH), torch.empty_like(zero_BH)
    d_BG = torch.empty_like(gates_TBG[0])
    dr, dz, dn = d_BG.chunk(3, 1)
    from_gates, from_candidate = weight_GH[: 2 * H], weight_GH[2 * H :]
    for back in range(T):
        t = T - 1 - back
        a_BG, share_BH = gates_TBG[t], share_TBH[t]
        r, z, n = a_BG.chunk(3, 1)
        before_BH = y_TBH[t - 1] if t > 0 else zero_BH
        dy_BH.add_(dy_TBH[t])
        torch.add(minus_one, n, alpha=2, out=new_BH)
        torch.sub(before_BH, new_BH, out=new_BH)
        torch.mul(dy_BH, new_BH, out=dz)
        torch.mul(dy_BH, z, out=new_BH)
        torch.sub(dy_BH, new_BH, out=dn)
        dn.mul_(2)
        torch.ops.aten.sigmoid_backward(dn, n, grad_input=dn)
        torch.mul(dn, share_BH, out=dr)
        torch.mul(dn, r, out=share_BH)
        gates_BI = a_BG[:, : 2 * H]
        torch.ops.aten.sigmoid_backward(d_BG[:, : 2 * H], gates_BI, grad_input=gates_BI)
        n.copy_(dn)
        torch.addmm(new_BH, gates_BI, from_gates, out=dy_BH)
        dy_BH.addmm_(share_BH, from_candidate)
    before_NH = y_TBH[:-1].reshape(-1, H)
    gates_NI = gates_TBG[1:, :, : 2 * H].reshape(-1, 2 * H)
    of_gates, of_candidate = gates_NI.t() @ before_NH, share_TBH[1:].reshape(-1, H).t() @ before_NH
    return [torch.cat([of_gates, of_candidate]), share_TBH.sum([0, 1])]


@_compiled
def _elman(gates_TBG: Tensor, weight_HG: Tensor, bias_H: Tensor) -> list[Tensor]:
    """Outputs, which ``gates_TBG`` has no more use for."""
    minus_one = torch.tensor(-1.0)
    for t in range(gates_TBG.shape[0]):
        a_BH = gates_TBG[t]
        if t > 0:
            a_BH.addmm_(gates_TBG[t - 1], weight_HG)
        a_BH.sigmoid_()
        torch.add(minus_one, a_BH, alpha=2, out=a_BH)
    return [gates_TBG.clone()]


@_compiled
def _elman_back(
    dy_TBH: Tensor, gates_TBG: Tensor, weight_GH: Tensor, kept: list[Tensor]
) -> list[Tensor]:
    """Gradients of the recurrent weights and bias; leaves those of the gates in ``gates_TBG``."""
    y_TBH = kept[0]
    T, H = gates_TBG.shape[0], gates_TBG.shape[2]
    dy_BH = torch.zeros_like(y_TBH[0])
    for back in range(T):
        t = T - 1 - back
        if back > 0:
            torch.addmm(dy_TBH[t], gates_TBG[t + 1], weight_GH, out=dy_BH)
        else:
            dy_BH.copy_(dy_TBH[t])
        torch.ops.aten.tanh_backward(dy_BH, y_TBH[t], grad_input=gates_TBG[t])
        gates_TBG[t].mul_(0.5)  # of the doubled gate
    before_NH = y_TBH[:-1].reshape(-1, H)
    return [gates_TBG[1:].reshape(-1, H).t() @ before_NH, y_TBH.new_zeros([0])]


class _Cell(NamedTuple):
    """A cell's two passes over time, and what each of its gates is doubled by: 2 for a tanh."""

    forward: Callable[[Tensor, Tensor, Tensor], list[Tensor]]
    backward: Callable[[Tensor, Tensor, Tensor, list[Tensor]], list[Tensor]]
    doubled: tuple[float, ...]


_CELLS = {
    "LSTM": _Cell(_lstm, _lstm_back, (1.0, 1.0, 2.0, 1.0)),
    "GRU": _Cell(_gru, _gru_back, (1.0, 1.0, 2.0)),
    "RNN_TANH": _Cell(_elman, _elman_back, (2.0,)),
}


class _Recurrence(torch.autograd.Function):
    """From gates without the state's share, a row a word, to the outputs of every step."""

    @staticmethod
    def forward(
        ctx: Any, mode: str, gates_NG: Tensor, index_TB: Tensor, ordered: bool, *weights: Tensor
    ) -> Tensor:
        """y_TBH. Gates of rows that are ``ordered`` are overwritten."""
        weight_GH, bias_H = weights
        shape = (*index_TB.shape, gates_NG.shape[1])
        rows_NG = gates_NG if ordered else gates_NG.index_select(0, index_TB.flatten())
        gates_TBG = rows_NG.view(shape)
        y_TBH, *kept = _CELLS[mode].forward(gates_TBG, weight_GH.t().contiguous(), bias_H)
        ctx.mode, ctx.ordered, ctx.rows = mode, ordered, len(gates_NG)
        ctx.save_for_backward(y_TBH, index_TB, weight_GH)
        ctx.own = gates_TBG, kept  # nobody else has seen these
        result: Tensor = y_TBH
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy_TBH: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the rows' gates, the recurrent weights, the candidate's bias."""
        if ctx.own is None:
            raise RuntimeError("a recurrence goes backward once: its gates are overwritten")
        y_TBH, index_TB, weight_GH = ctx.saved_tensors
        (gates_TBG, kept), ctx.own = ctx.own, None
        d_weight_GH, d_bias_H = _CELLS[ctx.mode].backward(
            dy_TBH, gates_TBG, weight_GH, [y_TBH, *kept]
        )
        d_NG = gates_TBG.view(-1, gates_TBG.shape[2])
        if not ctx.ordered:
            d_NG = torch.ops.aten.embedding_dense_backward(
                d_NG, index_TB.flatten(), ctx.rows, -1, False
            )
        return None, d_NG, None, None, d_weight_GH, d_bias_H


def recur(cell: nn.RNNBase, x: Steps) -> Tensor:
    """What a cell of one layer and one direction gives for every step: y_BTH.

    ``cell(x.dense())[0]`` to an absolute 1e-6 or so: 2 sigmoid(2x) - 1 has no relative accuracy
    near zero. On a CPU in float32 or float64, and one backward pass; elsewhere, and in bfloat16,
    torch's own.
    """
    if x.rows_NE.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        y_BTH: Tensor = cell(x.dense())[0]
        return y_BTH
    H = cell.hidden_size
    weight_GE, weight_GH, bias_G, hidden_bias_G = cast(list[Tensor], cell._flat_weights)
    scale_G1 = torch.tensor(_CELLS[cell.mode].doubled).repeat_interleave(H)[:, None]
    inner_H = hidden_bias_G.new_zeros(0)
    if cell.mode == "GRU":  # the candidate's own bias stands behind the reset gate
        inner_H = hidden_bias_G[2 * H :] * 2
        hidden_bias_G = functional.pad(hidden_bias_G[: 2 * H], (0, H))
    bias_G = (bias_G + hidden_bias_G) * scale_G1[:, 0]
    gates_NG = functional.linear(x.rows_NE, weight_GE * scale_G1, bias_G)
    index_TB = x.index_BT.t().contiguous()
    y_TBH: Tensor = _Recurrence.apply(  # type: ignore[no-untyped-call]
        cell.mode, gates_NG, index_TB, x.ordered, weight_GH * scale_G1, inner_H
    )
    return y_TBH.transpose(0, 1)
