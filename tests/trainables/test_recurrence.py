"""Our own passes over time beside torch's layers."""

import pytest
import torch
from torch import nn

import trainables.recurrence
from trainables.core.device import describe_numerics
from trainables.recurrence import recur
from trainables.steps import Steps

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
CPU = torch.device("cpu")


def both_ways(cell, x_of, table_VE, weight_BTH):
    """By us and by torch: outputs, and gradients of the table and of every weight."""
    found = []
    for own in (True, False):
        rows_VE = table_VE.clone().requires_grad_()
        x = x_of(rows_VE)
        y_BTH = recur(cell, x) if own else cell(x.dense())[0]
        cell.zero_grad()
        (y_BTH * weight_BTH).sum().backward()
        gradients = [p.grad.clone() for p in cell.parameters()]
        found.append([y_BTH.detach(), rows_VE.grad, *gradients])
    return found


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("given", ["words", "steps"])
@pytest.mark.parametrize(
    ("B", "T", "H"), [(6, 11, 5), (1, 1, 16), (50, 7, 40), (131, 3, 32), (3, 40, 64)]
)
def test_recurrence_is_torchs_own(cell, given, B, T, H):
    """Whether or not units fill the library's panels, texts its tiles and blocks."""
    torch.manual_seed(0)
    layer, table_VE = CELLS[cell](7, H, batch_first=True), torch.randn(9, 7)
    index_BT, weight_BTH = torch.randint(0, 9, (B, T)), torch.randn(B, T, H) / B

    def x_of(rows_VE):
        words = Steps(rows_VE, index_BT)
        return words if given == "words" else Steps.of(words.dense())

    for ours, theirs in zip(*both_ways(layer, x_of, table_VE, weight_BTH), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_outputs_whose_gradient_is_laid_out_otherwise(cell):
    """As the sum over steps gives it, one number a text and unit for all of them."""
    torch.manual_seed(0)
    layer, x = CELLS[cell](3, 4, batch_first=True), Steps.of(torch.randn(5, 6, 3))
    found = []
    for y_BTH in (recur(layer, x), layer(x.dense())[0]):
        layer.zero_grad()
        y_BTH.permute(2, 0, 1).sum(dim=2).square().sum().backward()
        found.append(layer.weight_hh_l0.grad.clone())
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_threads_change_no_bit(cell):
    torch.manual_seed(0)
    layer, x = CELLS[cell](8, 16, batch_first=True), Steps.of(torch.randn(150, 9, 8))
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            layer.zero_grad()
            y_BTH = recur(layer, x)
            y_BTH.square().sum().backward()
            found.append((y_BTH.detach(), layer.bias_hh_l0.grad.clone()))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1])


@pytest.mark.parametrize("cell", CELLS)
def test_what_is_not_a_number_stays_so(cell):
    x_BTE = torch.zeros(2, 4, 3)
    x_BTE[1, 2] = torch.nan
    y_BTH = recur(CELLS[cell](3, 16, batch_first=True), Steps.of(x_BTE))
    assert y_BTH[0].isfinite().all() and y_BTH[1, :2].isfinite().all()
    assert y_BTH[1, 2:].isnan().all()


@pytest.mark.parametrize("cell", CELLS)
def test_states_at_their_ends_are_right(cell):
    """Gates that are wide open or shut."""
    torch.manual_seed(0)
    layer, x = CELLS[cell](3, 16, batch_first=True), Steps.of(torch.randn(4, 9, 3) * 1e4)
    torch.testing.assert_close(recur(layer, x), layer(x.dense())[0], rtol=0, atol=1e-5)


def test_recurrence_goes_backward_once():
    layer = nn.LSTM(3, 4, batch_first=True)
    y_BTH = recur(layer, Steps.of(torch.randn(2, 3, 3)))
    y_BTH.sum().backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        y_BTH.sum().backward()


def test_without_a_compiler_it_is_torchs(monkeypatch):
    assert describe_numerics(CPU, "float32").recurrence == "own"
    assert describe_numerics(CPU, "bfloat16").recurrence == "torch"
    monkeypatch.setattr(trainables.recurrence, "compiled", lambda source: None)
    assert describe_numerics(CPU, "float32").recurrence == "torch"
    layer, x = nn.GRU(3, 4, batch_first=True), Steps.of(torch.randn(2, 5, 3))
    assert torch.equal(recur(layer, x), layer(x.dense())[0])


def test_in_double_precision_it_is_torchs():
    layer, x = nn.RNN(3, 4, batch_first=True).double(), Steps.of(torch.randn(2, 5, 3).double())
    assert torch.equal(recur(layer, x), layer(x.dense())[0])
