"""A prototype: the LSTM's pass over time for several models in one launch (Triton).

An item of work is a tile of texts of one model. Items do not know of each other, so companions
cannot change a bit of a model's outputs, and nothing is padded from one model to the next.

Shapes: B texts, T tokens, N rows, H units, G numbers of all gates (4H), K models.
"""

import os
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import torch
from torch import Tensor

from tests.gpu.setting import Figures, Setting, seconds_of

_ROWS, _WORDS = 16, 2000


@dataclass(frozen=True)
class Pass:
    """One model's pass: what it reads and what it writes."""

    gates_NG: Tensor
    weight_GH: Tensor
    index_TB: Tensor
    opened_TBG: Tensor
    y_TBH: Tensor
    kept_TBH: Tensor

    @classmethod
    def drawn(cls, seed: int, H: int, B: int, T: int, device: str) -> "Pass":
        """Draw a model and its texts; outputs start as NaN."""
        rng = torch.Generator().manual_seed(seed)
        gates_NG, weight_GH = (
            (torch.randn(rows, columns, generator=rng) * 0.3).to(device)
            for rows, columns in ((_WORDS, 4 * H), (4 * H, H))
        )
        index_TB = torch.randint(0, _WORDS, (T, B), generator=rng).to(device)
        opened, y, kept = (torch.full((T, B, n), torch.nan, device=device) for n in (4 * H, H, H))
        return cls(gates_NG, weight_GH, index_TB, opened, y, kept)

    def items(self) -> list[list[int]]:
        """Return a row of the kernel's table for each tile of texts."""
        tensors = (self.gates_NG, self.weight_GH, self.index_TB)
        written = (self.opened_TBG, self.y_TBH, self.kept_TBH)
        places = [tensor.data_ptr() for tensor in (*tensors, *written)]
        T, B = self.index_TB.shape
        return [[*places, T, B, first] for first in range(0, B, _ROWS)]


def measure(setting: Setting) -> Figures:
    """Return errors against float64, equality with and without companions, and times."""
    if find_spec("triton") is None:
        return {"left out": "no triton here"}
    if setting.device == "cpu":
        os.environ["TRITON_INTERPRET"] = "1"
    from tests.gpu.triton_lstm import launch

    def run(passes: list[Pass], H: int) -> None:
        items = sorted((item for one in passes for item in one.items()), key=lambda i: -i[6])
        launch(torch.tensor(items, dtype=torch.int64, device=setting.device), H, _ROWS)

    H = 16 if setting.toy else 64
    shapes = [(5, 7), (33, 4), (16, 11)] if setting.toy else [(128, 233), (77, 500), (300, 61)]
    companions, alone = (
        [Pass.drawn(seed, H, B, T, setting.device) for seed, (B, T) in enumerate(shapes)]
        for _ in range(2)
    )
    run(companions, H)
    for one in alone:
        run([one], H)
    figures: Figures = {
        "largest_error": max(_error(one, H) for one in companions),
        "alone as with companions": all(
            torch.equal(a.y_TBH, b.y_TBH) for a, b in zip(companions, alone, strict=True)
        ),
    }
    for K in (1, 2) if setting.toy else (1, 4, 16, 64):
        B, T = (4, 3) if setting.toy else (128, 233)
        group = [Pass.drawn(seed, H, B, T, setting.device) for seed in range(K)]
        run(group, H)
        seconds = seconds_of(partial(run, group, H), setting.device, repeats=3)
        figures[f"K={K} models, tokens_per_s forward"] = round(K * B * T / seconds)
    return figures


def _error(one: Pass, H: int) -> float:
    gates_NG, weight_GH = one.gates_NG.double().cpu(), one.weight_GH.double().cpu()
    T, B = one.index_TB.shape
    h_BH = c_BH = torch.zeros(B, H, dtype=torch.float64)
    worst = 0.0
    for t in range(T):
        opened_BG = gates_NG[one.index_TB[t].cpu()] + h_BH @ weight_GH.t()
        i, f, g, o = opened_BG.chunk(4, dim=1)
        c_BH = f.sigmoid() * c_BH + i.sigmoid() * g.tanh()
        h_BH = o.sigmoid() * c_BH.tanh()
        worst = max(worst, float((one.y_TBH[t].double().cpu() - h_BH).abs().max()))
    return float(f"{worst:.2g}")
