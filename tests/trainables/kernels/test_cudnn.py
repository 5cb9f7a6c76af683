"""Weights as cuDNN reads them, checked without it."""

from contextlib import contextmanager, nullcontext

import pytest
import torch
from torch import nn

from trainables.kernels.cudnn import recur_by_torch, side_by_side
from trainables.networks.torch_layers import dropped_weights

LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
CPU, META = torch.device("cpu"), torch.device("meta")


@pytest.mark.parametrize("layer", LAYERS)
def test_weights_follow_one_another_in_one_buffer_and_get_their_gradients(layer):
    cell, x_BTE = LAYERS[layer](3, 5, batch_first=True), torch.randn(2, 4, 3)
    cell(x_BTE)[0].square().sum().backward()
    expected = [weight.grad.clone() for weight in cell.parameters()]
    cell.zero_grad()
    beside = side_by_side(list(cell.parameters()), torch.float32)
    ends = [part.data_ptr() + part.numel() * 4 for part in beside]
    assert [part.data_ptr() for part in beside[1:]] == ends[:-1]
    assert beside[0].data_ptr() == beside[0].untyped_storage().data_ptr()
    own, cell._flat_weights = cell._flat_weights, beside
    cell(x_BTE)[0].square().sum().backward()
    cell._flat_weights = own
    for weight, gradient in zip(cell.parameters(), expected, strict=True):
        torch.testing.assert_close(weight.grad, gradient)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(("dtype", "share"), [(torch.bfloat16, 0.0), (torch.float32, 0.5)])
def test_only_changed_weights_are_put_side_by_side(monkeypatch, layer, dtype, share):
    monkeypatch.setattr(torch, "autocast", lambda *given, **more: nullcontext())
    cell = LAYERS[layer](3, 5, batch_first=True, device=META)
    seen = []
    cell.register_forward_pre_hook(lambda cell, given: seen.append(list(cell._flat_weights)))
    x_BTE = torch.zeros(2, 4, 3, device=META)
    with dropped_weights(cell, share):
        y_BTH = recur_by_torch(cell, x_BTE, dtype)
    recur_by_torch(cell, x_BTE, torch.float32)
    assert (y_BTH.dtype, y_BTH.shape) == (dtype, (2, 4, 5))
    changed, untouched = seen
    assert all(weight.dtype == dtype and weight._base is not None for weight in changed)
    assert all(one is other for one, other in zip(untouched, cell.parameters(), strict=True))
    assert all(
        one is other for one, other in zip(cell._flat_weights, cell.parameters(), strict=True)
    )


@pytest.mark.parametrize("layer", LAYERS)
def test_autocast_is_off_while_a_layer_reads_changed_weights(monkeypatch, layer):
    """It would cast them to float16."""
    entered, within = [], []

    @contextmanager
    def autocast(*given, **more):
        entered.append((given, more))
        yield
        entered.pop()

    monkeypatch.setattr(torch, "autocast", autocast)
    cell = LAYERS[layer](3, 5, batch_first=True, device=META)
    cell.register_forward_pre_hook(lambda cell, given: within.extend(entered))
    recur_by_torch(cell, torch.zeros(2, 4, 3, device=META), torch.bfloat16)
    assert within == [(("meta",), {"enabled": False})]
