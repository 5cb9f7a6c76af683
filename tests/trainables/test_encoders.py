"""Contract of every cell, direction and pooling."""

import numpy as np
import pytest
import torch
from torch import nn

from trainables.core.task import ModelEnds
from trainables.encoders import POOLED_STATES, RecurrentEncoder
from trainables.hyperparameters import Hyperparameters
from trainables.network import TextNetwork
from trainables.recurrence import recur
from trainables.regularisation import LockedDropout, embed
from trainables.steps import Steps

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
    torch.testing.assert_close(
        network(Steps.of(padded_BTE), lengths_B), network(Steps.of(x_BTE), lengths_B)
    )
    alone = network(Steps.of(x_BTE[1:2, :2]), lengths_B[1:2])
    torch.testing.assert_close(network(Steps.of(x_BTE), lengths_B)[1:2], alone)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_both_directions_reach_the_output(cell, pooling):
    network = encoder(cell=cell, pooling=pooling, bidirectional=True)
    network(Steps.of(torch.randn(2, 4, 4)), torch.tensor([4, 3])).pow(2).sum().backward()
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
    torch.testing.assert_close(network(Steps.of(x_BTE), torch.tensor([7, 7, 7])), expected_BP)


@pytest.mark.parametrize("layers", [1, 3])
def test_is_the_lectures_model(layers):
    """Embedding, LSTM, last state, dropout, linear: the same weights give the same logits."""

    class LSTMModel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(50, 7)
            between = 0.3 if layers > 1 else 0.0
            self.lstm = nn.LSTM(7, 5, num_layers=layers, batch_first=True, dropout=between)
            self.dropout = nn.Dropout(0.3)
            self.fc = nn.Linear(5, 2)

        def forward(self, ids_BT):
            _, (hidden_LBH, _) = self.lstm(self.embedding(ids_BT))
            return self.fc(self.dropout(hidden_LBH[-1]))

    torch.manual_seed(1)
    lecture = LSTMModel().eval()
    h = Hyperparameters(embedding_dim=7, hidden_size=5, num_layers=layers, dropout=0.3)
    ours = TextNetwork(h, ModelEnds(50, ("a", "b"), np.zeros(1, dtype=np.int64)), 2).eval()
    weights = {"embedding.weight": lecture.embedding.weight}
    weights |= {f"head.{k}": v for k, v in lecture.fc.state_dict().items()}
    for name, weight in lecture.lstm.state_dict().items():
        kind, depth = name.rsplit("_l", 1)
        weights[f"encoder.layers.{depth}.forwards.{kind}_l0"] = weight
    ours.load_state_dict(weights)
    ids_BT = torch.randint(2, 50, (4, 9))
    expected_BC = lecture(ids_BT)
    torch.testing.assert_close(ours(ids_BT, torch.full((4,), 9)), expected_BC)
    padded_BT = torch.cat([ids_BT, torch.zeros(4, 3, dtype=torch.long)], dim=1)
    torch.testing.assert_close(ours(padded_BT, torch.full((4,), 9)), expected_BC)


def test_locked_dropout_is_the_same_at_every_step_and_scales_up():
    x_BTE = torch.ones(4, 9, 50)
    dropped_BTE = LockedDropout(0.4)(x_BTE)
    assert (dropped_BTE == dropped_BTE[:, :1]).all()
    assert not (dropped_BTE[0] == dropped_BTE[1]).all()
    assert dropped_BTE.unique().tolist() == pytest.approx([0.0, 1 / 0.6])
    assert LockedDropout(0.4).eval()(x_BTE) is x_BTE


@pytest.mark.parametrize("cell", CELLS)
def test_dropped_weights_are_those_of_the_recurrence(cell):
    """All but the recurrence is as it was: the first step of a text does not change."""
    network = encoder(cell=cell, weight_drop=0.9).train()
    x, lengths_B = Steps.of(torch.randn(2, 6, 4)), torch.tensor([6, 6])
    layer = network.layers[0]
    whole_BTD, dropped_BTD = layer.eval()(x, lengths_B), layer.train()(x, lengths_B)
    torch.testing.assert_close(dropped_BTD[:, 0], whole_BTD[:, 0])
    assert not torch.allclose(dropped_BTD[:, 1:], whole_BTD[:, 1:])
    dropped_BTD.sum().backward()
    assert (layer.forwards.weight_hh_l0.grad == 0).float().mean() > 0.5
    torch.testing.assert_close(layer.eval()(x, lengths_B), whole_BTD)


def test_dropped_words_are_zero_wherever_they_stand():
    layer = nn.Embedding(40, 6)
    ids_BT = torch.arange(40).repeat(2, 2)
    x_BTE = embed(layer, ids_BT, 0.5).dense()
    zero_BT = (x_BTE == 0).all(dim=2)
    assert 5 < zero_BT[0, :40].sum() < 35
    assert (zero_BT[0, :40] == zero_BT[0, 40:]).all() and (zero_BT[0] == zero_BT[1]).all()
    assert torch.equal(embed(layer.eval(), ids_BT, 0.5).dense(), layer(ids_BT))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("given", ["words", "steps"])
def test_recurrence_is_torchs_own(cell, given):
    """Outputs, and gradients of every weight and of the input."""
    torch.manual_seed(0)
    make = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell]
    layer, table_VE = make(7, 5, batch_first=True), torch.randn(9, 7)
    index_BT, weight_BTH = torch.randint(0, 9, (6, 11)), torch.randn(6, 11, 5)
    found = []
    for own in (True, False):
        rows_VE = table_VE.clone().requires_grad_()
        words = Steps(rows_VE, index_BT)
        x = words if given == "words" else Steps.of(words.dense())
        y_BTH = recur(layer, x) if own else layer(x.dense())[0]
        layer.zero_grad()
        (y_BTH * weight_BTH).sum().backward()
        gradients = [p.grad.clone() for p in layer.parameters()]
        found.append([y_BTH.detach(), rows_VE.grad, *gradients])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_recurrence_goes_backward_once():
    layer = nn.LSTM(3, 4, batch_first=True)
    y_BTH = recur(layer, Steps.of(torch.randn(2, 3, 3)))
    y_BTH.sum().backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        y_BTH.sum().backward()
