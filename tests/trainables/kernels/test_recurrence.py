"""Our own passes over time beside torch's layers."""

import ctypes

import pytest
import torch
from torch import nn

import trainables.kernels.recurrence
from trainables.attempts.numerics import describe_numerics
from trainables.core.precision import computing_in
from trainables.kernels.recurrence import has_native_kernel, recur
from trainables.kernels.steps import Steps

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
CPU = torch.device("cpu")
SIZES = [(6, 11, 5), (1, 1, 16), (50, 7, 40), (131, 3, 32), (3, 40, 64)]
in_half = pytest.mark.skipif(
    not torch.cpu.get_capabilities().get("avx512_bf16", False),
    reason="this processor has no instructions for bfloat16",
)


def both_ways(cell, x_of, table_VE, weight_BTH):
    """By us and by torch: outputs, and gradients of the table and of every weight."""
    return [
        outputs_and_gradients(cell, read, x_of, table_VE, weight_BTH)
        for read in (recur, lambda cell, x: cell(x.dense())[0])
    ]


def outputs_and_gradients(cell, read, x_of, table_VE, weight_BTH):
    rows_VE = table_VE.clone().requires_grad_()
    y_BTH = read(cell, x_of(rows_VE))
    cell.zero_grad()
    (y_BTH * weight_BTH).sum().backward()
    return [y_BTH.detach(), rows_VE.grad, *(p.grad.clone() for p in cell.parameters())]


def pieces(cell, given, B, T, H):
    """A layer, what makes its input of a table, the table, and the outputs' gradient."""
    torch.manual_seed(0)
    layer, table_VE = CELLS[cell](7, H, batch_first=True), torch.randn(9, 7)
    index_BT, weight_BTH = torch.randint(0, 9, (B, T)), torch.randn(B, T, H) / B

    def x_of(rows_VE):
        words = Steps(rows_VE, index_BT)
        return words if given == "words" else Steps.of(words.dense())

    return layer, x_of, table_VE, weight_BTH


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("given", ["words", "steps"])
@pytest.mark.parametrize(("B", "T", "H"), SIZES)
def test_recurrence_is_torchs_own(cell, given, B, T, H):
    """Whether or not units fill the library's panels, texts its tiles and blocks."""
    layer, *more = pieces(cell, given, B, T, H)
    for ours, theirs in zip(*both_ways(layer, *more), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@in_half
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("given", ["words", "steps"])
@pytest.mark.parametrize(("B", "T", "H"), SIZES)
def test_recurrence_in_bfloat16_is_float32s_to_its_three_digits(cell, given, B, T, H):
    layer, *more = pieces(cell, given, B, T, H)
    found = []
    for precision in ("float32", "bfloat16"):
        with computing_in(precision, CPU):
            found.append(outputs_and_gradients(layer, recur, *more))
    assert found[1][0].dtype == torch.bfloat16
    assert not torch.equal(found[0][0], found[1][0].float())
    for single, half in zip(*found, strict=True):
        assert (single - half).abs().max() <= 0.02 * single.abs().max()


@in_half
def test_a_state_that_moves_little_by_little_moves_in_bfloat16_too():
    """A GRU's whose update gate is nearly shut: steps of a thousandth, which rounding to three
    digits would lose."""
    layer, x = nn.GRU(1, 16, batch_first=True), Steps.of(torch.ones(1, 1500, 1))
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
        layer.bias_ih_l0[16:32] = 7.0
        layer.bias_ih_l0[32:] = 1.0
    found = []
    for precision in ("float32", "bfloat16"):
        with computing_in(precision, CPU), torch.no_grad():
            found.append(recur(layer, x)[0, -1, 0].item())
    assert found[0] == pytest.approx(0.568, abs=0.001)
    assert found[1] == pytest.approx(found[0], rel=0.01)


@in_half
@pytest.mark.parametrize(("cell", "open_by", "apart"), [("gru", 7.0, 0.02), ("lstm", 4.0, 0.05)])
def test_gradients_come_from_afar_in_bfloat16_too(cell, open_by, apart):
    """Through 400 steps of gates that are nearly open: rounded to 1 they would never fade."""
    torch.manual_seed(0)
    layer, x_BTE = CELLS[cell](8, 32, batch_first=True), torch.randn(16, 400, 8) * 0.5
    with torch.no_grad():
        layer.bias_ih_l0[32:64] += open_by
    found = []
    for precision in ("float32", "bfloat16"):
        x_BTE = x_BTE.detach().requires_grad_()
        layer.zero_grad()
        with computing_in(precision, CPU):
            y_BTH = recur(layer, Steps.of(x_BTE))
        y_BTH[:, -1].float().sum().backward()
        found.append([x_BTE.grad, *(p.grad.clone() for p in layer.parameters())])
    for single, half in zip(*found, strict=True):
        assert (single - half).norm() <= apart * single.norm()


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
@pytest.mark.parametrize("given", ["words", "steps"])
def test_threads_change_no_bit(cell, given):
    layer, *more = pieces(cell, given, 150, 9, 16)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(outputs_and_gradients(layer, recur, *more))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0][0], found[1][0])
    for one, three in zip(*found, strict=True):
        torch.testing.assert_close(one, three)


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


def test_memory_that_runs_out_in_the_library_is_pythons_error(monkeypatch):
    monkeypatch.setattr(
        trainables.kernels.recurrence, "_function", lambda name, dtype: lambda *given: 1
    )
    with pytest.raises(MemoryError, match="lstm: no memory for the states of 2 texts"):
        recur(nn.LSTM(3, 4, batch_first=True), Steps.of(torch.randn(2, 3, 3)))


@pytest.mark.parametrize("cell", ["lstm", "gru", "elman"])
@pytest.mark.parametrize("direction", ["", "_back"])
def test_the_library_says_that_memory_has_run_out(cell, direction):
    """An exception that left it would end this process."""
    module = trainables.kernels.recurrence
    function = module._function(f"{cell}{direction}", torch.float32)
    given = ctypes.byref(module._Pass(H=16))
    first, last = map(ctypes.c_int64, (0, 1 << 60))  # more texts than any machine has room for
    assert function(given, first, last) == 1
    assert function(given, first, first) == 0


def test_without_a_compiler_it_is_torchs(monkeypatch):
    assert describe_numerics(CPU, "float32").recurrence == "native"
    assert describe_numerics(CPU, "float16").recurrence == "torch"
    assert describe_numerics(CPU, "float32", native=False).recurrence == "own"
    monkeypatch.setattr(trainables.kernels.recurrence, "compiled", lambda source: None)
    for precision in ("float32", "bfloat16"):
        assert describe_numerics(CPU, precision).recurrence == "torch"
    layer, x = nn.GRU(3, 4, batch_first=True), Steps.of(torch.randn(2, 5, 3))
    assert torch.equal(recur(layer, x), layer(x.dense())[0])


@in_half
def test_in_bfloat16_it_is_our_own():
    assert has_native_kernel(CPU, torch.bfloat16)
    assert describe_numerics(CPU, "bfloat16").recurrence == "native"


def test_in_double_precision_it_is_torchs():
    layer, x = nn.RNN(3, 4, batch_first=True).double(), Steps.of(torch.randn(2, 5, 3).double())
    assert torch.equal(recur(layer, x), layer(x.dense())[0])
