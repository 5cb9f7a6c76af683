"""The part of ``repeats`` that runs under one environment."""

import hashlib
from typing import Any

import torch

from tests.gpu.record import Record
from tests.gpu.setting import Setting, trainer_of
from trainables.core.device import prepare_device
from trainables.core.precision import precisions
from trainables.core.trainer import Trainer

_EVERYTHING: dict[str, Any] = {
    "dropout": 0.3,
    "word_dropout": 0.2,
    "embedding_dropout": 0.1,
    "weight_drop": 0.2,
    "bidirectional": True,
    "num_layers": 2,
    "token_crop": 0.2,
    "token_drop": 0.1,
    "token_swap": 0.1,
    "ema_decay": 0.9,
    "clip_norm": 1.0,
}


def measure(setting: Setting, record: Record) -> None:
    """Train each model three times, and once more through a checkpoint."""
    device = prepare_device(setting.device, 1)
    for precision in precisions(device):
        for model, chosen in {"plain": {}, "everything": _EVERYTHING}.items():
            name = f"{precision} {model}"
            with record.trying(name):
                runs = {_digest(_trained(setting, precision, chosen)) for _ in range(3)}
                record.add({f"{name} three runs are one": len(runs) == 1})
                restored = _digest(_restored(setting, precision, chosen))
                record.add({f"{name} restored is the same": runs == {restored}})


def _new(setting: Setting, precision: str, chosen: dict[str, Any]) -> Trainer:
    return trainer_of(setting, setting.texts(2000), precision, batch_size=64, **chosen)


def _trained(setting: Setting, precision: str, chosen: dict[str, Any]) -> Trainer:
    trainer = _new(setting, precision, chosen)
    trainer.train_epoch()
    trainer.train_epoch()
    return trainer


def _restored(setting: Setting, precision: str, chosen: dict[str, Any]) -> Trainer:
    first, path = _new(setting, precision, chosen), setting.out / "repeat.safetensors"
    first.train_epoch()
    digest = first.save(path)
    torch.rand(17, device=setting.device)
    second = _new(setting, precision, chosen)
    second.load(path, digest)
    path.unlink()
    second.train_epoch()
    return second


def _digest(trainer: Trainer) -> str:
    digest = hashlib.sha256()
    for tensor in trainer.model.state_dict().values():
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()
