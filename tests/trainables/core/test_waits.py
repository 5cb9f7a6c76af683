"""Training on a device asks it for no value before an epoch's end.

torch's device ``meta`` stands for the GPU: it takes every path that is not a CPU's, and its tensors
have shapes only. So whatever copied one to the host, or asked for a number, would raise.
"""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.builders import EVERYTHING, make_part, make_trainer
from trainables.core import optimisation
from trainables.core.trainer import Trainer
from trainables.data.text.edits import Edits
from trainables.data.text.reader import DeviceTexts, TextReader
from trainables.networks.cells import CELLS

META = torch.device("meta")
ALL = EVERYTHING | {"num_layers": 2, "bidirectional": True, "class_weights": "balanced"}


@pytest.fixture
def on_device(monkeypatch):
    """A trainer whose texts and model are on the device."""
    for place in ("core.trainer.computing_in", "networks.network.in_float32"):
        monkeypatch.setattr(f"trainables.{place}", lambda *given: nullcontext())
    monkeypatch.setattr("trainables.networks.encoders.in_float32", lambda *given: nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda device: False)
    monkeypatch.setattr(torch, "autocast", lambda *given, **more: nullcontext())
    plain = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    for name, rule in plain.items():  # fused ones need a real device
        monkeypatch.setitem(
            optimisation._RULES, name, lambda p, fused, rule=rule, **more: rule(p, **more)
        )

    def make(**choices) -> Trainer:
        trainer = make_trainer(device=META, **choices)
        assert isinstance(trainer.train, TextReader)
        held = DeviceTexts.of(trainer.train.part, META)
        trainer.train = replace(trainer.train, device=META, held=held)
        return trainer

    return make


@pytest.mark.parametrize(
    ("cell", "pooling"),
    [
        *((name, "concat") for name, cell in CELLS.items() if cell.native),
        *(("lstm", pooling) for pooling in ("last", "mean", "max", "attention")),
    ],
)
@pytest.mark.parametrize("more", [{}, ALL, {"clip_norm": 0.0, "optimizer": "sgd"}])
def test_no_step_of_an_epoch_waits(on_device, monkeypatch, cell, pooling, more):
    trainer = on_device(cell=cell, pooling=pooling, batch_size=40, **more)
    monkeypatch.setattr(Edits, "of_epoch", edits_without_generator)
    with pytest.raises(RuntimeError, match=r"item\(\) cannot be called on meta"):
        trainer.train_epoch()
    assert trainer.epoch == 1, "only the epoch's loss is asked for, behind all of its steps"


def edits_without_generator(h, rng, device):
    return Edits(h, rng, None)  # type: ignore[arg-type]


def test_a_value_that_is_asked_for_would_be_noticed(on_device, monkeypatch):
    trainer = on_device()
    losses = trainer.task.losses

    def curious(outputs_BC, targets_B):
        losses_B = losses(outputs_BC, targets_B)
        losses_B.sum().item()
        return losses_B

    monkeypatch.setattr(trainer.task, "losses", curious)
    with pytest.raises(RuntimeError, match=r"item\(\) cannot be called on meta"):
        trainer.train_epoch()
    assert trainer.epoch == 0


def test_rows_of_a_batch_go_to_the_device_in_one_copy(on_device, monkeypatch):
    trainer, copies = on_device(), []

    def moved(tensor, device):
        copies.append(tensor)
        return tensor.to(device)

    monkeypatch.setattr("trainables.data.text.reader.moved", moved)
    trainer.train.read(np.arange(5))
    assert len(copies) == 1
    assert trainer.train.read(np.arange(5)).inputs[0].device == META
    assert len(make_part()) == len(trainer.train)
