"""Contract of every cell, direction and pooling."""

import numpy as np
import pytest
import torch
from torch import nn

from search.spec.resolve import resolve
from search.spec.study import find_study_file, read_toml
from tests.operations import Operations
from trainables.core.task import TaskContext
from trainables.data.text.tokens import PAD
from trainables.kernels.steps import Steps
from trainables.networks.cells import CELLS
from trainables.networks.encoders import POOLED_STATES, Pooling, RecurrentEncoder
from trainables.networks.hyperparameters import RecurrentClassifierHyperparameters
from trainables.networks.network import TextNetwork
from trainables.networks.regularisation import (
    LockedDropout,
    embed,
    embed_each_place,
    embed_each_word,
)

POOLINGS = sorted(POOLED_STATES)

#: The cells that are torch's own layers.
TORCHS = ["rnn", "gru", "lstm"]


def encoder(**hyperparameters) -> RecurrentEncoder:
    torch.manual_seed(0)
    return RecurrentEncoder(
        RecurrentClassifierHyperparameters(hidden_size=5, **hyperparameters), 4
    ).eval()


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


@pytest.mark.parametrize("cell", TORCHS)
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_equals_torch_on_texts_of_equal_length(cell, layers, bidirectional):
    """The last layer's last states: what torch's own layer calls h_n."""
    network = encoder(cell=cell, bidirectional=bidirectional, num_layers=layers, pooling="last")
    own = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell](
        4, 5, batch_first=True, bidirectional=bidirectional, num_layers=layers
    )
    weights = {}
    for depth, layer in enumerate(network.layers):
        for turned, some in (("", layer.forwards), ("_reverse", layer.backwards)):
            for name, weight in some.state_dict().items() if some else ():
                weights[f"{name.removesuffix('0')}{depth}{turned}"] = weight
    own.load_state_dict(weights)
    x_BTE = torch.randn(3, 7, 4)
    state = own(x_BTE)[1]
    hidden_LBH = state[0] if cell == "lstm" else state
    expected_BP = torch.cat(list(hidden_LBH[-2:] if bidirectional else hidden_LBH[-1:]), dim=1)
    torch.testing.assert_close(network(Steps.of(x_BTE), torch.tensor([7, 7, 7])), expected_BP)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_poolings_text_by_text(bidirectional):
    """Each kind against the plain words of its definition, over texts of many lengths."""
    H, width = 3, 6 if bidirectional else 3
    y_BTD, lengths = torch.randn(3, 5, width), [5, 2, 1]
    pooled = {kind: Pooling(kind, H, bidirectional) for kind in POOLINGS}
    found = {kind: some(y_BTD, torch.tensor(lengths)) for kind, some in pooled.items()}
    for text, length in enumerate(lengths):
        y_TD = y_BTD[text, :length]
        last_D = torch.cat([y_TD[-1, :H], y_TD[0, H:]])
        score = pooled["attention"].score
        assert score is not None
        shares_T1 = torch.softmax(score(y_TD), dim=0)
        expected = {
            "last": last_D,
            "mean": y_TD.mean(dim=0),
            "max": y_TD.max(dim=0).values,
            "attention": (shares_T1 * y_TD).sum(dim=0),
            "concat": torch.cat([last_D, y_TD.mean(dim=0), y_TD.max(dim=0).values]),
        }
        for kind in POOLINGS:
            torch.testing.assert_close(found[kind][text], expected[kind])


@pytest.mark.parametrize("pooling", ["last", "concat"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_gradient_of_a_last_state_sorts_nothing(pooling, bidirectional):
    y_BTD = torch.randn(3, 5, 6 if bidirectional else 3, requires_grad=True)
    pooled_BP = Pooling(pooling, 3, bidirectional)(y_BTD, torch.tensor([5, 2, 1]))
    with Operations() as seen:
        torch.autograd.grad(pooled_BP.sum(), y_BTD)
    assert seen.names and seen.those("index", "sort") == []


class LSTMModel(nn.Module):
    """The lecture's: embedding, LSTM, last state, dropout, linear; a logit a class."""

    def __init__(self, vocabulary: int, h: RecurrentClassifierHyperparameters) -> None:
        super().__init__()
        between = h.dropout if h.num_layers > 1 else 0.0
        self.embedding = nn.Embedding(vocabulary, h.embedding_dim)
        self.lstm = nn.LSTM(
            h.embedding_dim,
            h.hidden_size,
            num_layers=h.num_layers,
            batch_first=True,
            dropout=between,
        )
        self.dropout = nn.Dropout(h.dropout)
        self.fc = nn.Linear(h.hidden_size, 2)

    def forward(self, ids_BT):
        _, (hidden_LBH, _) = self.lstm(self.embedding(ids_BT))
        return self.fc(self.dropout(hidden_LBH[-1]))


#: The study that is the lecture's model, and a corner of the one that is its tunable variant.
LECTURE = [
    ("imdb-untuned", {}),
    (
        "imdb",
        {
            "embedding_dim": 128,
            "hidden_size": 32,
            "num_layers": 3,
            "dropout": 0.4,
            "learning_rate": 1e-3,
            "weight_decay": 1e-4,
            "batch_size": 256,
        },
    ),
]


@pytest.mark.parametrize(("study", "params"), LECTURE, ids=["untuned", "tunable"])
def test_is_the_lectures_model(study, params):
    """The configuration of the shipped study, the same weights: the same logits."""
    spec = resolve(read_toml(find_study_file(study)), study)
    assert set(params) == set(spec.space)
    h = RecurrentClassifierHyperparameters(**(spec.fixed | params))
    torch.manual_seed(1)
    lecture = LSTMModel(50, h).eval()
    ours = TextNetwork(h, TaskContext(50, ("a", "b"), np.zeros(1, dtype=np.int64)), 2).eval()
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


@pytest.mark.parametrize("cell", TORCHS)
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


EMBEDDINGS = [embed_each_word, embed_each_place]


@pytest.mark.parametrize("way", EMBEDDINGS)
def test_dropped_words_are_zero_wherever_they_stand(way):
    layer = nn.Embedding(40, 6)
    ids_BT = torch.arange(40).repeat(2, 2)
    x_BTE = way(layer, ids_BT, 0.5).dense()
    zero_BT = (x_BTE == 0).all(dim=2)
    assert 5 < zero_BT[0, :40].sum() < 35
    assert (zero_BT[0, :40] == zero_BT[0, 40:]).all() and (zero_BT[0] == zero_BT[1]).all()
    torch.testing.assert_close(x_BTE[~zero_BT], layer(ids_BT)[~zero_BT] * 2)


def test_no_word_is_dropped_in_evaluation():
    layer, ids_BT = nn.Embedding(40, 6).eval(), torch.arange(40).repeat(2, 2)
    assert torch.equal(embed(layer, ids_BT, 0.5).dense(), layer(ids_BT))


def test_words_and_places_embed_alike():
    """And add up the same gradient, none for padding."""
    layer, ids_BT = nn.Embedding(9, 6, padding_idx=PAD), torch.randint(0, 9, (4, 20))
    weight_BTE, found = torch.randn(4, 20, 6), []
    for way in EMBEDDINGS:
        x_BTE = way(layer, ids_BT, 0.0).dense()
        (gradient_VE,) = torch.autograd.grad((x_BTE * weight_BTE).sum(), layer.weight)
        assert torch.equal(x_BTE, layer(ids_BT)) and (gradient_VE[PAD] == 0).all()
        found.append(gradient_VE)
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("dropped", [0.0, 0.5])
def test_places_of_a_batch_read_their_rows_and_not_the_table(dropped):
    """Its gradient is as large as the table, and made once."""
    layer, ids_BT = nn.Embedding(1000, 6), torch.randint(0, 1000, (4, 5))
    with Operations() as forwards:
        steps = embed_each_place(layer, ids_BT, dropped)
    assert steps.rows_NE.shape == (20, 6) and (1000, 6) not in forwards.shapes
    with Operations() as backwards:
        torch.autograd.grad(steps.dense().sum(), layer.weight)
    assert backwards.shapes.count((1000, 6)) == 1
