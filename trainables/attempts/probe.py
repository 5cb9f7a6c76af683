"""Measures a device by training on it for a moment."""

import time
from functools import cache

import numpy as np
import torch

from trainables.core.allocator import give_back_freed_memory
from trainables.core.precision import precisions
from trainables.core.task import TaskContext
from trainables.core.trainer import Trainer, TrainerSettings
from trainables.data.part import Part
from trainables.data.text.reader import TextReader
from trainables.errors import DeviceError
from trainables.networks.hyperparameters import RecurrentClassifierHyperparameters
from trainables.tasks.registry import TASKS

#: Size of the made-up data, by device: a GPU needs many texts at a time to be busy.
_TEXTS, _TOKENS, _WORDS = {"cpu": 64, "cuda": 2048}, 128, 2000

#: What ``seconds_per_token`` trains unless told otherwise.
SMALL = RecurrentClassifierHyperparameters()

#: How much faster half the bits must be, to be worth their three digits.
_MARGIN = 1.25


def seconds_per_token(
    device: torch.device,
    precision: str = "float32",
    hyperparameters: RecurrentClassifierHyperparameters = SMALL,
) -> float:
    """Measure the seconds that a device takes to train on one token of made-up texts.

    It is the fastest of three passes, behind one that warms up. The random generators of this
    process are seeded anew.
    """
    rng, texts = np.random.default_rng(0), _TEXTS[device.type]
    offsets = np.arange(texts + 1, dtype=np.int64) * _TOKENS
    ids = rng.integers(2, _WORDS, texts * _TOKENS, dtype=np.int32)
    labels = np.arange(texts, dtype=np.int64) % 2
    make_task = TASKS["text-classification"].load()
    trainer = Trainer(
        make_task(hyperparameters, TaskContext(_WORDS, ("a", "b"), labels)),
        hyperparameters,
        TextReader(Part(ids, offsets, labels), _TOKENS, "end").placed(device),
        TrainerSettings(seed=0, max_epochs=4, device=device, precision=precision),
    )
    seconds = []
    for _ in range(4):
        started = time.perf_counter()
        trainer.train_epoch()  # ends with the loss on the host: the device has finished
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:]) / (texts * _TOKENS)


def choose_precision(wanted: str, device_name: str, native: bool = True) -> str:
    """Return the wanted precision; for ``auto`` the one in which this machine trains faster.

    Each worker measures that once. ``device_name`` is ``cpu`` or ``cuda``.

    Raises:
        DeviceError: the device does not compute in what is wanted.
    """
    device = torch.device(device_name)
    if wanted == "auto" and len(precisions(device, native)) > 1:
        return _fastest(device)
    if wanted == "auto":
        return "float32"
    if wanted not in precisions(device, native):
        raise DeviceError(
            f"resources.precision = {wanted}: this machine's {device_name} does not compute in it; "
            f"ask for auto or {' or '.join(precisions(device, native))}"
        )
    return wanted


@cache
def _fastest(device: torch.device) -> str:
    single, half = precisions(device)
    middling = RecurrentClassifierHyperparameters(embedding_dim=128, hidden_size=128)
    seconds = seconds_per_token(device, single, middling)
    faster = seconds > _MARGIN * seconds_per_token(device, half, middling)
    give_back_freed_memory()  # the trial behind this may be a small one
    return half if faster else single
