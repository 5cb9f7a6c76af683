"""Contract of every cell, direction and pooling."""

import pytest
import torch
from torch import nn

from trainables.encoders import POOLED_STATES, RecurrentEncoder
from trainables.hyperparameters import Hyperparameters

CELLS = ["rnn", "gru", "lstm"]
POOLINGS = sorted(POOLED_STATES)


def encoder(**hyperparameters) -> RecurrentEncoder:
    torch.manual_seed(0)
    return RecurrentEncoder(Hyperparameters(hidden_size=5, **hyperparameters), 4).eval()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_changes_nothing(cell, pooling, bidirectional):
    network = encoder(cell=cell, pooling=pooling, bidirectional=bidirectional, num_layers=2)
    x_BTE, lengths_B = torch.randn(3, 6, 4), torch.tensor([6, 2, 1])
    padded_BTE = torch.cat([x_BTE, torch.full((3, 5, 4), 1e6)], dim=1)
    for row, length in enumerate(lengths_B):
        padded_BTE[row, length:] = 1e6
    torch.testing.assert_close(network(padded_BTE, lengths_B), network(x_BTE, lengths_B))
    alone = network(x_BTE[1:2, :2], lengths_B[1:2])
    torch.testing.assert_close(network(x_BTE, lengths_B)[1:2], alone)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_both_directions_reach_the_output(cell, pooling):
    network = encoder(cell=cell, pooling=pooling, bidirectional=True)
    network(torch.randn(2, 4, 4), torch.tensor([4, 3])).pow(2).sum().backward()
    for name, parameter in network.named_parameters():
        if "score.bias" not in name:  # a shift of all scores: softmax does not see it
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_equals_torch_on_texts_of_equal_length(cell):
    """Both directions, last state: what torch's own bidirectional layer calls h_n."""
    network = encoder(cell=cell, bidirectional=True, pooling="last")
    layer = network.layers[0]
    own = getattr(nn, cell.upper())(4, 5, batch_first=True, bidirectional=True)
    weights = {k: v for k, v in layer.forwards.state_dict().items()}
    weights |= {f"{k}_reverse": v for k, v in layer.backwards.state_dict().items()}
    own.load_state_dict(weights)
    x_BTE = torch.randn(3, 7, 4)
    state = own(x_BTE)[1]
    hidden_2BH = state[0] if cell == "lstm" else state
    expected_BP = torch.cat([hidden_2BH[0], hidden_2BH[1]], dim=1)
    torch.testing.assert_close(network(x_BTE, torch.tensor([7, 7, 7])), expected_BP)
