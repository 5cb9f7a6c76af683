"""Contract of the training loop and its checkpoints, for every cell."""

import math
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.builders import EVERYTHING, labels_of, make_part, make_trainer, train_task
from trainables.core.checkpoint import write_checkpoint
from trainables.core.trainer import TrainerSettings
from trainables.data.part import Part
from trainables.data.text.reader import TextReader
from trainables.errors import CheckpointError
from trainables.networks.cells import CELLS
from trainables.tasks.registry import TASKS


def same_weights(one, other) -> bool:
    pairs = zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.lengthy
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("cell", CELLS)
def test_overfits_eight_examples(cell, task):
    part = make_part(texts=8, seed=3, labels=labels_of(task))
    trainer = make_trainer(
        part=part, max_epochs=150, cell=cell, task=task, pooling="mean", batch_size=8
    )
    losses = [trainer.train_epoch() for _ in range(150)]
    assert losses[-1] < 0.1 < losses[0]
    metrics = trainer.evaluate(TextReader(part, 12, "end"))
    assert metrics["accuracy"] == 1.0 if task == "text-classification" else metrics["r2"] > 0.9


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_stored_and_restored_is_the_uninterrupted_run_bit_for_bit(cell, optimizer, task, tmp_path):
    choices = {
        "task": task,
        "cell": cell,
        "optimizer": optimizer,
        "schedule": "one_cycle",
        "num_layers": 2,
        "freeze_epochs": 3,
        **EVERYTHING,
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
    assert isinstance(whole.train, TextReader)
    reader = TextReader(whole.train.part, 12, "end")
    assert whole.evaluate(reader) == second.evaluate(reader)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("cell", CELLS)
def test_evaluation_repeats_exactly_and_leaves_training_alone(cell, task):
    reader = TextReader(make_part(seed=1, labels=labels_of(task)), 12, "end")
    blind = make_trainer(cell=cell, task=task, **EVERYTHING)
    blind.train_epoch()
    looked = make_trainer(cell=cell, task=task, **EVERYTHING)
    assert looked.evaluate(reader) == looked.evaluate(reader)
    looked.train_epoch()
    assert same_weights(looked, blind)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("pooling", ["attention", "concat"])
def test_empty_text_survives(cell, task, pooling):
    part = make_part(texts=4, labels=labels_of(task))
    offsets = np.concatenate([part.offsets, part.offsets[-1:]])
    labels: Any = np.append(part.labels, part.labels[:1])
    with_empty = Part(part.ids, offsets, labels)
    trainer = make_trainer(
        part=with_empty, cell=cell, task=task, pooling=pooling, bidirectional=True, **EVERYTHING
    )
    for _ in range(3):
        assert math.isfinite(trainer.train_epoch())
    assert all(parameter.isfinite().all() for parameter in trainer.model.parameters())
    assert math.isfinite(trainer.evaluate(TextReader(with_empty, 12, "end"))["loss"])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("cell", CELLS)
def test_extra_padding_changes_nothing_and_both_directions_count(cell, task):
    trainer = make_trainer(cell=cell, task=task, bidirectional=True, layer_norm=True)
    ids_BT, lengths_B = torch.randint(2, 30, (3, 6)), torch.tensor([6, 3, 1])
    wider_BT = torch.cat([ids_BT, torch.randint(2, 30, (3, 4))], dim=1)
    wider_BT[1, 3:6] = 29
    model = trainer.model.eval()
    outputs_BC = model(ids_BT, lengths_B)
    torch.testing.assert_close(model(wider_BT, lengths_B), outputs_BC)
    outputs_BC.square().sum().backward()
    for name, parameter in model.encoder.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_average_is_evaluated_and_follows():
    """Warmed up, the average of the first steps is near the weights; it is what is evaluated."""
    trainer = make_trainer(ema_decay=0.999)
    trainer.train_epoch()
    model, average = (cast(Any, one) for one in (trainer.model, trainer.average))
    weights, averages = model.head.weight, average.module.head.weight
    assert not torch.equal(weights, averages)
    with torch.no_grad():
        trainer.model.head.weight.fill_(math.nan)
    reader = TextReader(make_part(seed=1), 12, "end")
    assert math.isfinite(trainer.evaluate(reader)["loss"])


@pytest.mark.parametrize("cell", CELLS)
def test_a_constant_number_explains_nothing(cell):
    part = make_part(texts=50, labels="number")
    trainer = make_trainer(part=part, task="text-regression", cell=cell)
    with torch.no_grad():
        trainer.model.head.weight.zero_()
        trainer.model.head.bias.zero_()
    metrics = trainer.evaluate(TextReader(part, 12, "end"))
    assert metrics["r2"] == pytest.approx(0.0, abs=1e-4)  # the mean of the training numbers
    assert metrics["rmse"] == pytest.approx(part.labels.std(), rel=1e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_constant_predictor_scores_the_share_of_its_class(cell):
    part = make_part(texts=50)
    trainer = make_trainer(part=part, cell=cell)
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


@pytest.mark.parametrize("task", TASKS)
def test_predictions_stand_in_the_order_of_the_examples(task):
    """However they were put together: short ones first, in micro-batches."""
    part = make_part(texts=50, labels=labels_of(task))
    trainer = make_trainer(part=part, task=task)
    trainer.train_epoch()
    trainer.micro_batch_steps = 30
    outputs_NC, targets_N = trainer.predict(TextReader(part, 12, "end"))
    assert targets_N.tolist() == part.labels.tolist()
    for row in range(50):
        alone_1C, _ = trainer.predict(TextReader(one_text(part, row), 12, "end"))
        torch.testing.assert_close(outputs_NC[row : row + 1], alone_1C)


def test_many_outputs_are_of_fewer_texts_at_a_time():
    """And of two classes of as many as before: their gradients add up in the same order."""
    settings = TrainerSettings(seed=0, max_epochs=1)
    few, many = (
        train_task(TASKS["text-classification"], reader(make_part()), one)
        for one in (replace(settings, outputs=2), replace(settings, outputs=1_000_000))
    )
    assert few.micro_batch_examples > few.micro_batch_steps
    assert many.micro_batch_examples == 4
    seen = [len(rows) for rows, _, _ in many._outputs(many.model, many.train, np.arange(40))]
    assert max(seen) == 4


def reader(part: Part) -> TextReader:
    return TextReader(part, 12, "end")


def one_text(part: Part, row: int) -> Part:
    start, end = part.offsets[row : row + 2]
    return Part(part.ids[start:end], np.array([0, end - start]), part.labels[row : row + 1])


def test_a_stored_network_predicts_numbers_in_their_own_unit(tmp_path):
    """By what is in the checkpoint, with digits that float32 does not have."""
    part = make_part(texts=40, labels="number")
    labels_N = 1e9 + part.labels.astype(np.float64) / 8
    part = Part(part.ids, part.offsets, labels_N)
    trainer = make_trainer(part=part, max_epochs=60, task="text-regression", pooling="mean")
    for _ in range(60):
        trainer.train_epoch()
    trainer.save(tmp_path / "x")
    stored = load_file(tmp_path / "x")
    assert stored["model.mean"].dtype == torch.float64
    outputs_N1, _ = trainer.predict(TextReader(part, 12, "end"))
    predicted_N = outputs_N1[:, 0].double() * stored["model.deviation"] + stored["model.mean"]
    assert (predicted_N - torch.from_numpy(labels_N)).abs().mean() < 0.1
    assert trainer.evaluate(TextReader(part, 12, "end"))["r2"] > 0.8


def test_the_norm_is_that_of_the_gradient_whether_or_not_it_is_clipped():
    """A clip that never bites changes nothing, and shows the same norm as none."""
    part = make_part(texts=8, seed=3)
    free = make_trainer(part=part, clip_norm=0.0, batch_size=8)
    loose = make_trainer(part=part, clip_norm=1e9, batch_size=8)
    tight = make_trainer(part=part, clip_norm=1e-3, batch_size=8)
    for trainer in (free, loose, tight):
        trainer.train_epoch()
    norm = free.vitals()["gradient_norm"]
    assert norm > 0 and norm == pytest.approx(loose.vitals()["gradient_norm"], rel=1e-6)
    assert norm == pytest.approx(tight.vitals()["gradient_norm"], rel=1e-6)
    assert same_weights(free, loose) and not same_weights(free, tight)


def test_seeds_differ_and_repeat():
    assert same_weights(make_trainer(seed=1), make_trainer(seed=1))
    assert not same_weights(make_trainer(seed=1), make_trainer(seed=2))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("cell", CELLS)
def test_corrupt_checkpoint_raises(cell, task, tmp_path):
    path = tmp_path / "epoch-001.safetensors"
    digest = make_trainer(cell=cell, task=task).save(path)
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


def test_a_checkpoint_from_before_a_hyperparameter_was_there_is_read(tmp_path):
    """Its default changes nothing."""
    trainer = make_trainer()
    snapshot = trainer.snapshot()
    old = {k: v for k, v in snapshot.state["hyperparameters"].items() if k != "token_crop"}
    state = snapshot.state | {"hyperparameters": old, "epoch": 3}
    write_checkpoint(tmp_path / "a", snapshot.tensors, state)
    trainer.load(tmp_path / "a")
    assert trainer.epoch == 3
    with pytest.raises(CheckpointError, match="another configuration"):
        make_trainer(token_crop=0.1).load(tmp_path / "a")
    write_checkpoint(tmp_path / "a", snapshot.tensors, state | {"hyperparameters": {"gone": 1}})
    with pytest.raises(CheckpointError, match="another configuration"):
        make_trainer().load(tmp_path / "a")


@pytest.mark.parametrize("trouble", [torch.OutOfMemoryError, torch.AcceleratorError])
def test_a_gpus_trouble_is_not_the_checkpoints(tmp_path, monkeypatch, trouble):
    """The trial would begin anew, though its checkpoint is whole."""
    trainer = make_trainer()
    digest = trainer.save(tmp_path / "a")

    def full(state):
        raise trouble("out of memory")

    monkeypatch.setattr(trainer.optimizer, "load_state_dict", full)
    with pytest.raises(trouble):
        trainer.load(tmp_path / "a", digest)


def test_pickle_is_never_loaded(tmp_path):
    path = tmp_path / "epoch-001.safetensors"
    torch.save({"epoch": 1}, path)
    with pytest.raises(CheckpointError):
        make_trainer().load(path)
