"""Training on a device asks it for no value before an epoch's end, and keeps it waiting for none.

torch's device ``meta`` stands for the GPU: it takes every path that is not a CPU's, and its tensors
have shapes only. So whatever asked for a number would raise. What goes from one to the other is
counted.
"""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.builders import EVERYTHING, make_part, make_trainer
from trainables.core import optimisation
from trainables.core.batching import moved
from trainables.core.trainer import Trainer
from trainables.data.text.edits import Edits
from trainables.data.text.reader import DeviceTexts, TextReader
from trainables.networks.cells import CELLS
from trainables.tasks.registry import TASKS

META = torch.device("meta")
ALL = EVERYTHING | {"num_layers": 2, "bidirectional": True, "class_weights": "balanced"}


class Crossings(TorchDispatchMode):
    """Refuses whatever goes from the host to the device, but by ``moved``.

    Attributes:
        moving: whether ``moved`` is at work.
        returned: how many tensors the host has got from the device; it gets zeros.
    """

    def __init__(self) -> None:
        super().__init__()
        self.moving, self.returned = False, 0

    def __torch_dispatch__(self, operation, types, given=(), named=None):
        named, name = named or {}, operation.overloadpacket.__name__
        if name in ("to", "_to_copy"):
            here, there = given[0].device, torch.device(named.get("device") or given[0].device)
            if (here.type, there.type) == ("meta", "cpu"):
                self.returned += 1
                return torch.zeros(given[0].shape, dtype=named.get("dtype") or given[0].dtype)
            behind = self.moving and named.get("non_blocking")
            assert here.type == there.type or behind, "the host waits for a copy"
        # A tensor of one number goes to the device as a kernel's argument.
        met = {
            x.device.type
            for x in tree_leaves((given, named))
            if isinstance(x, torch.Tensor) and (x.dim() > 0 or name == "copy_")
        }
        assert len(met) < 2, f"{name} waits for a copy"
        return operation(*given, **named)


class Constants(TorchFunctionMode):
    """Refuses tensors of the host's numbers on the device: ``meta`` alone copies nothing there."""

    def __torch_function__(self, function, types, given=(), named=None):
        made = function(*given, **(named or {}))
        if function in (torch.tensor, torch.as_tensor, torch.Tensor.new_tensor):
            assert made.device.type == "cpu", "the host waits for a copy of numbers"
        if function in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
            index = given[1] if isinstance(given[1], tuple) else given[1:2]
            of_numbers = any(isinstance(one, (list, np.ndarray)) for one in index)
            assert given[0].device.type == "cpu" or not of_numbers, "the host waits for an index"
        return made


@pytest.fixture
def crossings(monkeypatch):
    """What goes between host and device in a block of it."""
    seen = Crossings()

    def watched(tensor, device):
        seen.moving = True
        try:
            return moved(tensor, device)
        finally:
            seen.moving = False

    for place in ("core.batching", "data.text.reader"):
        monkeypatch.setattr(f"trainables.{place}.moved", watched)
    return seen


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


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("cell", "pooling"),
    [
        *((name, "concat") for name, cell in CELLS.items() if cell.native),
        *(("lstm", pooling) for pooling in ("last", "mean", "max", "attention")),
    ],
)
@pytest.mark.parametrize("more", [{}, ALL, {"clip_norm": 0.0, "optimizer": "sgd"}])
def test_no_step_of_an_epoch_waits(on_device, crossings, monkeypatch, cell, pooling, more):
    trainer = on_device(cell=cell, pooling=pooling, batch_size=40, **more)
    monkeypatch.setattr(Edits, "of_epoch", edits_without_generator)
    train_to_its_loss(trainer)  # some constants are copied once
    with crossings, Constants():
        train_to_its_loss(trainer)
    assert trainer.epoch == 2 and crossings.returned == 0


@pytest.mark.lengthy
@pytest.mark.parametrize("more", [{}, ALL])
def test_no_step_waits_for_texts_of_the_host(on_device, crossings, monkeypatch, more):
    trainer = on_device(batch_size=40, **more)
    trainer.train = replace(trainer.train, held=None)
    monkeypatch.setattr(Edits, "of_epoch", edits_without_generator)
    train_to_its_loss(trainer)
    with crossings, Constants():
        train_to_its_loss(trainer)
    assert trainer.epoch == 2 and crossings.returned == 0


def train_to_its_loss(trainer: Trainer) -> None:
    """Only the epoch's loss is asked for, behind all of its steps."""
    before = trainer.epoch
    with pytest.raises(RuntimeError, match=r"item\(\) cannot be called on meta"):
        trainer.train_epoch()
    assert trainer.epoch == before + 1


@pytest.mark.lengthy
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("more", [{}, {"ema_decay": 0.9}])
def test_an_evaluation_waits_for_its_last_output_only(on_device, crossings, task, more):
    """However many passes it takes, outputs and targets come to the host once."""
    trainer, passes = on_device(task=task, **more), []
    evaluated = trainer.average or trainer.model
    evaluated.register_forward_hook(lambda *given: passes.append(crossings.returned))
    trainer.micro_batch_steps = 60
    with crossings, Constants():
        trainer.evaluate(trainer.train)
    assert len(passes) > 3 and set(passes) == {0}
    assert crossings.returned == 2


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
