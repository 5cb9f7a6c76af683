"""Every hyperparameter that changes the training does so, and in the way it says."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.builders import make_part, make_trainer
from trainables.core.memory import DataShape
from trainables.core.optimisation import build_optimizer
from trainables.core.task import TaskContext
from trainables.data.text.edits import Edits
from trainables.data.text.reader import TextReader
from trainables.networks.cells import CELLS
from trainables.networks.hyperparameters import RecurrentClassifierHyperparameters
from trainables.networks.network import TextNetwork


@pytest.mark.parametrize(
    ("choices", "others"),
    [
        ({"word_dropout": 0.3}, {}),
        ({"embedding_dropout": 0.3}, {}),
        ({"input_dropout": 0.3}, {}),
        ({"dropout": 0.3}, {}),
        ({"dropout": 0.3, "num_layers": 2, "locked_dropout": True}, {"locked_dropout": False}),
        ({"input_dropout": 0.3, "locked_dropout": True}, {"locked_dropout": False}),
        ({"weight_drop": 0.3}, {}),
        ({"layer_norm": True}, {}),
        ({"head_hidden": 3}, {}),
        ({"head_hidden": 3, "dropout": 0.3}, {"dropout": 0.0}),
        ({"token_drop": 0.3}, {}),
        ({"token_swap": 0.9}, {}),
        ({"token_crop": 0.6}, {}),
        ({"label_smoothing": 0.3}, {}),
        ({"class_weights": "balanced"}, {}),
        ({"bidirectional": True}, {}),
    ],
    ids=lambda value: "+".join(value),
)
def test_the_loss_of_the_same_weights_is_another(choices, others):
    """Next to no learning: what the first epoch sees differs, or nothing does."""
    still = {"learning_rate": 1e-12, "optimizer": "sgd", "pooling": "last"}
    losses = [
        make_trainer(**(still | some)).train_epoch()
        for some in (choices, choices | others if others else {})
    ]
    assert abs(losses[0] - losses[1]) > 1e-5


def test_dropout_between_the_layers_leaves_one_layer_alone():
    """The encoder of one layer has nothing between; of two it has."""
    for layers, differs in ((1, False), (2, True)):
        trainer = make_trainer(dropout=0.5, num_layers=layers)
        batch = trainer.train.read(np.arange(8))
        features = [
            trainer.model.encoder(trainer_words(trainer, batch), batch.inputs[1]) for _ in range(2)
        ]
        assert torch.equal(*features) != differs


def trainer_words(trainer, batch):
    from trainables.networks.regularisation import embed

    return embed(trainer.model.embedding, batch.inputs[0], 0.0)


@pytest.mark.parametrize("edit", ["token_crop", "token_drop", "token_swap"])
def test_texts_are_edited_where_that_is_asked_for(edit):
    chosen: dict[str, Any] = {edit: 0.1}
    edited = RecurrentClassifierHyperparameters(**chosen)
    for h, asked in ((RecurrentClassifierHyperparameters(), False), (edited, True)):
        rng = np.random.default_rng(0)
        assert (Edits.of_epoch(h, rng, torch.device("cpu")) is not None) == asked


def test_validation_texts_are_never_changed():
    choices: dict[str, Any] = {
        "token_drop": 0.5,
        "token_swap": 0.5,
        "token_crop": 0.5,
        "word_dropout": 0.5,
    }
    reader = TextReader(make_part(seed=1), 12, "end")
    assert make_trainer(**choices).evaluate(reader) == make_trainer().evaluate(reader)


def test_the_average_follows_the_weights():
    """One step an epoch: the first is copied, then (1 + n) / (10 + n) of the average stays."""
    trainer = make_trainer(ema_decay=0.9, batch_size=64)
    weights = []
    for _ in range(2):
        trainer.train_epoch()
        weights.append(trainer.model.head.weight.detach().clone())
    expected = torch.lerp(weights[0], weights[1], 1 - 2 / 11)
    torch.testing.assert_close(trainer.average.module.head.weight, expected)


def test_clipping_bounds_a_step():
    lengths = {}
    for norm in (0.0, 1e-3):
        trainer = make_trainer(clip_norm=norm, optimizer="sgd", batch_size=64, learning_rate=1.0)
        before = [p.detach().clone() for p in trainer.model.parameters()]
        trainer.train_epoch()
        moved = [a - b for a, b in zip(trainer.model.parameters(), before, strict=True)]
        lengths[norm] = torch.cat([m.flatten() for m in moved]).norm().item()
    assert lengths[1e-3] == pytest.approx(1.9e-3, rel=1e-2)  # Nesterov: 1 + 0.9 of the first step
    assert lengths[0.0] > 1e-2


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_update_rules_are_torchs(name):
    rule = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[name]
    more = {"momentum": 0.9, "nesterov": True} if name == "sgd" else {}
    h = RecurrentClassifierHyperparameters(optimizer=name, learning_rate=0.1, weight_decay=0.5)
    torch.manual_seed(0)
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    optimizers = [
        build_optimizer(ours, h),
        rule(theirs.parameters(), lr=0.1, weight_decay=0.5, **more),
    ]
    for _ in range(3):
        for model, optimizer in zip((ours, theirs), optimizers, strict=True):
            optimizer.zero_grad()
            model(torch.ones(1, 3)).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(ours.weight, theirs.weight)


@pytest.mark.parametrize(
    ("kind", "shares"),
    [
        ("constant", [1.0, 1.0, 1.0, 1.0]),
        ("cosine", [0.9755, 0.7939, 0.5, 0.0]),
        ("one_cycle", [0.28, 1.0, 0.8117, 0.0]),
    ],
)
def test_schedules(kind, shares):
    """After a tenth, three tenths, a half and the whole of the steps."""
    trainer = make_trainer(schedule=kind, batch_size=40, max_epochs=10)
    rates = []
    for _ in range(10):
        trainer.train_epoch()
        rates.append(trainer.schedule.get_last_lr()[0] / 0.01)
    assert [rates[epoch - 1] for epoch in (1, 3, 5, 10)] == pytest.approx(shares, abs=1e-3)


def test_pretrained_vectors_must_be_there():
    ends = TaskContext(9, ("a", "b"), np.zeros(1, dtype=np.int64))
    with pytest.raises(ValueError, match="needs vectors_VE"):
        TextNetwork(RecurrentClassifierHyperparameters(embedding="glove"), ends, 2)


CHOICES = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(sorted(CELLS)),
        "hidden_size": st.integers(1, 9),
        "num_layers": st.integers(1, 3),
        "bidirectional": st.booleans(),
        "pooling": st.sampled_from(["last", "mean", "max", "attention", "concat"]),
        "layer_norm": st.booleans(),
        "head_hidden": st.sampled_from([0, 3]),
        "embedding": st.sampled_from(["scratch", "glove", "bert-features"]),
    }
)


@given(CHOICES, st.integers(2, 4))
def test_the_number_of_parameters_is_the_models(choices, classes):
    """Frozen features are a mapped file, and no parameters."""
    dtype = np.float16 if choices["embedding"] == "bert-features" else np.float32
    vectors = None if choices["embedding"] == "scratch" else np.ones((30, 8), dtype)
    h = RecurrentClassifierHyperparameters(embedding_dim=8, **choices)
    context = TaskContext(30, tuple("abcd"[:classes]), np.zeros(5, np.int64), vectors)
    model = TextNetwork(h, context, classes)
    built = sum(parameter.numel() for parameter in model.parameters())
    assert h.parameter_count(DataShape(30, classes, 9)) == built
