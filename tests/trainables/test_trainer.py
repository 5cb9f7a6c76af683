"""Contract of the training loop and its checkpoints, for every cell."""

import math

import numpy as np
import pytest
import torch

from tests.pieces import make_part, make_trainer
from trainables.core.batching import TextReader
from trainables.data.corpus import Part
from trainables.errors import CheckpointError

CELLS = ["rnn", "gru", "lstm"]


def same_weights(one, other) -> bool:
    pairs = zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("cell", CELLS)
def test_overfits_eight_examples(cell):
    part = make_part(texts=8, seed=3)
    trainer = make_trainer(part=part, max_epochs=120, cell=cell, pooling="mean", batch_size=8)
    losses = [trainer.train_epoch() for _ in range(120)]
    assert losses[-1] < 0.1 < losses[0]
    assert trainer.evaluate(TextReader(part, 12, "end"))["accuracy"] == 1.0


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_stored_and_restored_is_the_uninterrupted_run_bit_for_bit(cell, optimizer, tmp_path):
    choices = {
        "cell": cell,
        "optimizer": optimizer,
        "dropout": 0.3,
        "word_dropout": 0.2,
        "schedule": "one_cycle",
        "num_layers": 2,
    }
    whole = make_trainer(**choices)
    for _ in range(4):
        whole.train_epoch()
    first = make_trainer(**choices)
    first.train_epoch()
    first.train_epoch()
    digest = first.save(tmp_path / "epoch-002.safetensors")
    second = make_trainer(seed=0, **choices)
    torch.rand(17)  # another process has drawn other numbers
    np.random.rand(3)
    second.load(tmp_path / "epoch-002.safetensors", digest)
    assert second.epoch == 2
    second.train_epoch()
    second.train_epoch()
    assert same_weights(whole, second)


def test_evaluation_repeats_exactly_and_leaves_training_alone():
    reader = TextReader(make_part(seed=1), 12, "end")
    blind = make_trainer(dropout=0.5)
    blind.train_epoch()
    looked = make_trainer(dropout=0.5)
    assert looked.evaluate(reader) == looked.evaluate(reader)
    looked.train_epoch()
    assert same_weights(looked, blind)


def test_empty_text_survives():
    part = make_part(texts=4)
    offsets = np.concatenate([part.offsets, part.offsets[-1:]])
    with_empty = Part(part.ids, offsets, np.append(part.labels, 0))
    trainer = make_trainer(part=with_empty, pooling="concat", bidirectional=True)
    assert math.isfinite(trainer.train_epoch())


def test_constant_predictor_scores_the_share_of_its_class():
    part = make_part(texts=50)
    trainer = make_trainer(part=part)
    with torch.no_grad():
        trainer.model.head.weight.zero_()
        trainer.model.head.bias.copy_(torch.tensor([0.0, 1.0]))
    metrics = trainer.evaluate(TextReader(part, 12, "end"))
    assert metrics["accuracy"] == pytest.approx(part.labels.mean())
    ones = part.labels.mean()
    assert metrics["macro_f1"] == pytest.approx(2 * ones / (1 + ones) / 2)
    shares = torch.softmax(torch.tensor([0.0, 1.0]), dim=0)
    expected = -(shares.log().double().numpy()[part.labels]).mean()
    assert metrics["loss"] == pytest.approx(expected, rel=1e-6)


def test_seeds_differ_and_repeat():
    assert same_weights(make_trainer(seed=1), make_trainer(seed=1))
    assert not same_weights(make_trainer(seed=1), make_trainer(seed=2))


def test_corrupt_checkpoint_raises(tmp_path):
    path = tmp_path / "epoch-001.safetensors"
    digest = make_trainer().save(path)
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    with pytest.raises(CheckpointError, match="digest"):
        make_trainer().load(path, digest)
    with pytest.raises(CheckpointError, match="not a seqtune checkpoint"):
        make_trainer().load(path)
    flipped = bytearray(content)
    flipped[-5] ^= 1
    path.write_bytes(bytes(flipped))
    with pytest.raises(CheckpointError, match="digest"):
        make_trainer().load(path, digest)
    with pytest.raises(CheckpointError, match="cannot read"):
        make_trainer().load(tmp_path / "missing")


def test_checkpoint_of_another_configuration_is_refused(tmp_path):
    digest = make_trainer(hidden_size=6).save(tmp_path / "a")
    with pytest.raises(CheckpointError, match="another configuration"):
        make_trainer(hidden_size=7).load(tmp_path / "a", digest)


def test_pickle_is_never_loaded(tmp_path):
    path = tmp_path / "epoch-001.safetensors"
    torch.save({"epoch": 1}, path)
    with pytest.raises(CheckpointError):
        make_trainer().load(path)


@pytest.mark.parametrize("kind", ["constant", "cosine", "one_cycle"])
def test_schedule_stays_within_its_peak(kind):
    trainer = make_trainer(schedule=kind, max_epochs=3)
    rates = []
    for _ in range(3):
        trainer.train_epoch()
        rates.append(trainer.schedule.get_last_lr()[0])
    assert all(0 <= rate <= 0.01 + 1e-12 for rate in rates)
    assert rates[-1] == pytest.approx(0.01 if kind == "constant" else 0.0, abs=1e-9)
