"""What every task must hold to; inherit it and say which task.

A task over other data than texts gives its own ``reader``.
"""

import json
import math

import pytest
import torch

from tests.builders import labels_of, make_part, train_task
from trainables.core.hyperparameters import declare
from trainables.core.memory import DataShape
from trainables.core.trainer import TrainerSettings
from trainables.data.text.reader import TextReader
from trainables.tasks.registry import TaskEntry, find_task


class TaskContract:
    """Needs a fixture ``entry``: the task as ``find_task`` gives it."""

    #: Hyperparameters that keep its model small; any of its own.
    small: dict[str, object] = {}

    @pytest.fixture
    def labels(self, entry: TaskEntry) -> str:
        return labels_of(entry)

    @pytest.fixture
    def reader(self, labels) -> TextReader:
        return TextReader(make_part(texts=8, seed=3, labels=labels), 12, "end")

    def trainer(self, entry: TaskEntry, reader, **choices):
        chosen = self.small | {"batch_size": 8, "learning_rate": 0.01} | choices
        return train_task(entry, reader, TrainerSettings(0, 150), **chosen)

    def test_is_found_by_name(self, entry):
        assert find_task(entry.location if ":" in entry.location else "").load() is entry.load()

    def test_declares_what_a_search_needs(self, entry):
        declaration = entry.declaration
        assert declaration.metrics and set(declaration.metrics.values()) <= {"min", "max"}
        declared = declare(declaration.hyperparameters)
        assert {"learning_rate", "batch_size", "patience"} <= declared.keys()
        assert declaration.hyperparameters().model_dump() == {
            name: one.default for name, one in declared.items()
        }
        for name, one in declared.items():
            assert one.description, name
            restored = type(one).model_validate(json.loads(one.model_dump_json()))
            assert restored == one

    def test_reports_the_metrics_it_declares(self, entry, reader):
        found = self.trainer(entry, reader).evaluate(reader)
        assert {name.removeprefix("val/") for name in entry.declaration.metrics} <= found.keys()
        assert all(isinstance(value, float) for value in found.values())

    def test_counts_its_parameters_and_its_memory(self, entry, reader):
        trainer = self.trainer(entry, reader)
        shape = DataShape(30, 2 if trainer.task.context.classes else 1, 12)
        counted = trainer.hyperparameters.parameter_count(shape)
        real = sum(parameter.numel() for parameter in trainer.model.parameters())
        assert counted == pytest.approx(real, rel=0.05)
        assert trainer.hyperparameters.activation_bytes_per_step() > 0

    def test_learns_eight_examples_by_heart(self, entry, reader):
        trainer = self.trainer(entry, reader)
        losses = [trainer.train_epoch() for _ in range(150)]
        assert losses[-1] < 0.2 * losses[0]

    def test_evaluation_repeats_and_leaves_training_alone(self, entry, reader):
        blind, looked = (self.trainer(entry, reader) for _ in range(2))
        blind.train_epoch()
        assert looked.evaluate(reader) == looked.evaluate(reader)
        looked.train_epoch()
        for one, other in zip(blind.model.parameters(), looked.model.parameters(), strict=True):
            assert torch.equal(one, other)

    def test_stored_and_restored_it_goes_on_bit_for_bit(self, entry, reader, tmp_path):
        whole, stored, restored = (self.trainer(entry, reader) for _ in range(3))
        for trainer in (whole, whole, stored):
            trainer.train_epoch()
        restored.load(tmp_path / "x.safetensors", stored.save(tmp_path / "x.safetensors"))
        restored.train_epoch()
        for one, other in zip(whole.model.parameters(), restored.model.parameters(), strict=True):
            assert torch.equal(one, other)
        assert whole.evaluate(reader) == restored.evaluate(reader)

    def test_every_loss_is_one_examples(self, entry, reader):
        trainer = self.trainer(entry, reader)
        outputs_NC, targets_N = trainer.predict(reader)
        losses_N = trainer.task.losses(outputs_NC, targets_N)
        assert losses_N.shape == (len(reader),)
        assert all(math.isfinite(loss) for loss in losses_N.tolist())


class TextTaskContract(TaskContract):
    """A task over texts: padding changes nothing, and an empty text survives."""

    def test_extra_padding_changes_nothing(self, entry, reader):
        model = self.trainer(entry, reader).model.eval()
        ids_BT, lengths_B = torch.randint(2, 30, (3, 6)), torch.tensor([6, 3, 1])
        wider_BT = torch.cat([ids_BT, torch.randint(2, 30, (3, 4))], dim=1)
        with torch.no_grad():
            torch.testing.assert_close(model(wider_BT, lengths_B), model(ids_BT, lengths_B))

    def test_a_text_of_padding_survives(self, entry, reader):
        """An empty text is one token of padding."""
        model = self.trainer(entry, reader).model.eval()
        with torch.no_grad():
            outputs_BC = model(torch.tensor([[0, 0], [5, 6]]), torch.tensor([1, 2]))
        assert outputs_BC.isfinite().all()
