"""The kernel of the prototype; it needs Triton, and on a CPU ``TRITON_INTERPRET=1`` before that.

Shapes: as in ``sections/fused.py``; an item's columns are those of ``Pass.items``.
"""

import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def _tanh(x):
    return 2.0 * tl.sigmoid(2.0 * x) - 1.0


@triton.jit
def _product(a, b, PRODUCTS: tl.constexpr):
    return tl.dot(a, b, input_precision=PRODUCTS)


@triton.jit
def _lstm(table, H: tl.constexpr, ROWS: tl.constexpr, PRODUCTS: tl.constexpr):
    at = table + tl.program_id(0) * 9
    gates = tl.load(at).to(tl.pointer_type(tl.float32))
    weights = tl.load(at + 1).to(tl.pointer_type(tl.float32))
    index = tl.load(at + 2).to(tl.pointer_type(tl.int64))
    opened = tl.load(at + 3).to(tl.pointer_type(tl.float32))
    y = tl.load(at + 4).to(tl.pointer_type(tl.float32))
    kept = tl.load(at + 5).to(tl.pointer_type(tl.float32))
    T, B, first = tl.load(at + 6), tl.load(at + 7), tl.load(at + 8)
    rows = first + tl.arange(0, ROWS)
    here, u, k = rows < B, tl.arange(0, H), tl.arange(0, H)[:, None]
    w_i = tl.load(weights + u[None, :] * H + k)
    w_f = tl.load(weights + (H + u)[None, :] * H + k)
    w_g = tl.load(weights + (2 * H + u)[None, :] * H + k)
    w_o = tl.load(weights + (3 * H + u)[None, :] * H + k)
    h = tl.zeros((ROWS, H), tl.float32)
    c = tl.zeros((ROWS, H), tl.float32)
    m = here[:, None]
    t = T * 0
    while t < T:
        word = tl.load(index + t * B + rows, mask=here, other=0)
        p = gates + word[:, None] * (4 * H) + u[None, :]
        i = tl.sigmoid(tl.load(p, mask=m, other=0.0) + _product(h, w_i, PRODUCTS))
        f = tl.sigmoid(tl.load(p + H, mask=m, other=0.0) + _product(h, w_f, PRODUCTS))
        g = _tanh(tl.load(p + 2 * H, mask=m, other=0.0) + _product(h, w_g, PRODUCTS))
        o = tl.sigmoid(tl.load(p + 3 * H, mask=m, other=0.0) + _product(h, w_o, PRODUCTS))
        c = f * c + i * g
        h = o * _tanh(c)
        q = opened + (t * B + rows)[:, None] * (4 * H) + u[None, :]
        tl.store(q, i, mask=m)
        tl.store(q + H, f, mask=m)
        tl.store(q + 2 * H, g, mask=m)
        tl.store(q + 3 * H, o, mask=m)
        s = (t * B + rows)[:, None] * H + u[None, :]
        tl.store(kept + s, c, mask=m)
        tl.store(y + s, h, mask=m)
        t += 1


def launch(table: Tensor, H: int, rows: int, products: str) -> None:
    """Run every item of a table, each a row of nine numbers, in one launch.

    ``products`` is how float32 is multiplied: ``ieee`` or ``tf32``, which is Triton's default.
    """
    _lstm[(len(table),)](table, H, rows, products, num_warps=4)
