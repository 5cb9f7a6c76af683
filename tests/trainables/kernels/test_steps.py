"""Steps in another order."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.operations import Operations
from trainables.kernels.steps import Steps, exchanged
from trainables.networks.encoders import _reversal

META = torch.device("meta")


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.booleans())
def test_an_exchange_and_its_gradient_are_those_of_indexing(lengths, steps_first):
    B, T = len(lengths), max(lengths)
    turned_BT = _reversal(torch.tensor(lengths), T)
    # In memory the texts of a step follow one another, or the steps of a text.
    shape = (T, B, 3) if steps_first else (B, T, 3)
    x = torch.randn(shape, requires_grad=True)
    x_BTE = x.transpose(0, 1) if steps_first else x
    weight_BTE, found = torch.randn(B, T, 3), []
    ways = (
        lambda: exchanged(x_BTE, turned_BT),
        lambda: Steps.of(x_BTE)._exchanged(turned_BT).dense(),
        lambda: x_BTE[torch.arange(B)[:, None], turned_BT],
    )
    for way in ways:
        y_BTE = way()
        (gradient,) = torch.autograd.grad((y_BTE * weight_BTE).sum(), x)
        found.append((y_BTE, gradient))
    for one, other in itertools.pairwise(found):
        assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])
    assert torch.equal(exchanged(exchanged(x_BTE, turned_BT), turned_BT), x_BTE)


def test_a_device_turns_the_rows_and_a_cpu_the_index():
    turned_BT = _reversal(torch.tensor([3, 1]), 3)
    on_cpu = Steps.of(torch.randn(2, 3, 4))
    assert on_cpu.turned(turned_BT).rows_NE is on_cpu.rows_NE
    on_device = Steps.of(torch.zeros(2, 3, 4, device=META)).turned(turned_BT.to(META))
    assert on_device.ordered and on_device.dense().shape == (2, 3, 4)


#: Operations that add up rows which may be the same. On a GPU they sort, or add in any order.
ADDING = ("index_put", "index_add", "scatter", "sort", "embedding")


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_the_gradient_of_an_exchange_is_a_gather(device):
    turned_BT = _reversal(torch.tensor([3, 1]), 3).to(device)
    x_BTE = torch.zeros(2, 3, 4, device=device, requires_grad=True)
    inputs, outputs = Steps.of(x_BTE)._exchanged(turned_BT), exchanged(x_BTE, turned_BT)
    for y_BTE in (inputs.dense(), outputs):
        with Operations() as seen:
            torch.autograd.grad(y_BTE.sum(), x_BTE)
        assert seen.those("index_select") == ["index_select"] and seen.those(*ADDING) == []
