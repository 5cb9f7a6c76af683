"""Measures a device by training on it for a moment."""

import time
from functools import cache

import numpy as np
import torch

from trainables.core.batching import TextReader
from trainables.core.precision import has_bfloat16
from trainables.core.task import ModelEnds
from trainables.core.trainer import Trainer, TrainerSettings
from trainables.data.corpus import Part
from trainables.errors import DeviceError
from trainables.hyperparameters import Hyperparameters
from trainables.tasks import TASKS

_TEXTS, _TOKENS, _WORDS = 64, 128, 2000

#: How much faster bfloat16 must be to be worth its three digits.
_MARGIN = 1.25


def seconds_per_token(
    device: torch.device,
    precision: str = "float32",
    hyperparameters: Hyperparameters = Hyperparameters(),  # noqa: B008 - frozen
) -> float:
    """Seconds a device takes to train on one token of made-up texts: the fastest of three passes
    behind one that warms up.

    The random generators of this process start anew."""
    rng = np.random.default_rng(0)
    offsets = np.arange(_TEXTS + 1, dtype=np.int64) * _TOKENS
    ids = rng.integers(2, _WORDS, _TEXTS * _TOKENS, dtype=np.int32)
    labels = np.arange(_TEXTS, dtype=np.int64) % 2
    make_task = TASKS["text-classification"].load()
    trainer = Trainer(
        make_task(hyperparameters, ModelEnds(_WORDS, ("a", "b"), labels)),
        hyperparameters,
        TextReader(Part(ids, offsets, labels), _TOKENS, "end"),
        TrainerSettings(seed=0, max_epochs=4, device=device, precision=precision),
    )
    seconds = []
    for _ in range(4):
        started = time.perf_counter()
        trainer.train_epoch()  # ends with the loss on the host: the device has finished
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:]) / (_TEXTS * _TOKENS)


def choose_precision(wanted: str, device_name: str) -> str:
    """``float32`` or ``bfloat16``: what is wanted, or for ``auto`` what the ``cpu`` or ``cuda`` of
    this machine trains faster with, measured once by each worker.

    Raises:
        DeviceError: the device does not compute in bfloat16.
    """
    device = torch.device(device_name)
    if wanted == "bfloat16" and not has_bfloat16(device):
        raise DeviceError(
            f"resources.precision = bfloat16: this machine's {device_name} does not compute in it; "
            "ask for auto or float32"
        )
    return _faster(device) if wanted == "auto" else wanted


@cache
def _faster(device: torch.device) -> str:
    if not has_bfloat16(device):
        return "float32"
    middling = Hyperparameters(embedding_dim=128, hidden_size=128)
    single = seconds_per_token(device, "float32", middling)
    try:
        half = seconds_per_token(device, "bfloat16", middling)
    except RuntimeError:  # a kernel that the library lacks for this processor
        return "float32"
    return "bfloat16" if single > _MARGIN * half else "float32"
