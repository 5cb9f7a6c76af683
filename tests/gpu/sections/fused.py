"""A prototype: the LSTM's pass over time for several models in one launch (Triton).

An item of work is a tile of texts of one model. Items do not know of each other, so companions
cannot change a bit of a model's outputs, and nothing is padded from one model to the next.

Shapes: B texts, T tokens, N rows, H units, G numbers of all gates (4H), K models.
"""

import os
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import Tensor

from tests.gpu.record import Record
from tests.gpu.setting import Setting
from tests.gpu.timing import largest, median_seconds, warm_up

_ROWS, _WORDS = 16, 2000
#: How the kernel multiplies float32: exactly, or by tensor cores in TF32.
_PRODUCTS = ("ieee", "tf32")


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

    def error(self) -> Tensor:
        """Return the largest difference of an output to float64; NaN where one was not written."""
        gates_NG, weight_GH = self.gates_NG.double().cpu(), self.weight_GH.double().cpu()
        index_TB, y_TBH = self.index_TB.cpu(), self.y_TBH.double().cpu()
        (T, B), H = index_TB.shape, y_TBH.shape[2]
        h_BH = c_BH = torch.zeros(B, H, dtype=torch.float64)
        exact = []
        for t in range(T):
            opened_BG = gates_NG[index_TB[t]] + h_BH @ weight_GH.t()
            i, f, g, o = opened_BG.chunk(4, dim=1)
            c_BH = f.sigmoid() * c_BH + i.sigmoid() * g.tanh()
            h_BH = o.sigmoid() * c_BH.tanh()
            exact.append(h_BH)
        return (y_TBH - torch.stack(exact)).abs().max()


def table_of(passes: list[Pass], device: str) -> Tensor:
    """Return the kernel's table of some passes; the longest texts come first."""
    items = sorted((item for one in passes for item in one.items()), key=lambda item: -item[6])
    return torch.tensor(items, dtype=torch.int64, device=device)


def measure(setting: Setting, record: Record) -> None:
    """Take down errors against float64, equality with and without companions, and times."""
    if find_spec("triton") is None:
        record.add({"left out": "no triton here"})
        return
    if setting.device == "cpu":
        os.environ["TRITON_INTERPRET"] = "1"
    for products in _PRODUCTS:
        with record.trying(f"{products} products"):
            _compare(setting, record, products)
    warm_up(setting.device)
    for K in (1, 2) if setting.toy else (1, 4, 16, 64):
        for products in _PRODUCTS:
            with record.trying(f"{products} K={K} models"):
                _time(setting, record, products, K)


def _compare(setting: Setting, record: Record, products: str) -> None:
    from tests.gpu.triton_lstm import launch

    H = 16 if setting.toy else 64
    shapes = [(5, 7), (33, 4), (16, 11)] if setting.toy else [(128, 233), (77, 500), (300, 61)]
    companions, alone = (
        [Pass.drawn(seed, H, B, T, setting.device) for seed, (B, T) in enumerate(shapes)]
        for _ in range(2)
    )
    launch(table_of(companions, setting.device), H, _ROWS, products)
    for one in alone:
        launch(table_of([one], setting.device), H, _ROWS, products)
    record.add({f"{products} largest_error": largest(one.error() for one in companions)})
    pairs = zip(companions, alone, strict=True)
    equal = all(torch.equal(a.y_TBH, b.y_TBH) for a, b in pairs)
    record.add({f"{products} alone as with companions": equal})


def _time(setting: Setting, record: Record, products: str, K: int) -> None:
    from tests.gpu.triton_lstm import launch

    H, B, T = (16, 4, 3) if setting.toy else (64, 128, 233)
    group = [Pass.drawn(seed, H, B, T, setting.device) for seed in range(K)]
    table = table_of(group, setting.device)
    launch(table, H, _ROWS, products)
    seconds = median_seconds(lambda: launch(table, H, _ROWS, products), setting.device)
    record.add({f"{products} K={K} models, tokens_per_s forward": round(K * B * T / seconds)})
