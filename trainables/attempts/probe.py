"""Measurement of a device by a few short passes of training on it."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

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
from trainables.storage import default_cache, own_cache
from trainables.tasks.registry import TASKS

#: Size of the synthetic data: texts by device, tokens of a text, and words of the vocabulary. A GPU
#: is busy only with many texts at a time.
_TEXTS, _TOKENS, _WORDS = {"cpu": 64, "cuda": 2048}, 128, 2000

#: The default configuration, which ``seconds_per_token`` trains unless told otherwise.
SMALL = RecurrentClassifierHyperparameters()

#: Speed-up that 16 bits must bring to be chosen, because they have only three significant digits.
_MARGIN = 1.25


def seconds_per_token(
    device: torch.device,
    precision: str = "float32",
    hyperparameters: RecurrentClassifierHyperparameters = SMALL,
) -> float:
    """Measure the seconds that a device takes to train on one token of synthetic texts.

    The fastest of three passes counts, after a first one that warms up. The random generators of
    this process are seeded anew.
    """
    rng, texts = np.random.default_rng(0), _TEXTS[device.type]
    offsets = np.arange(texts + 1, dtype=np.int64) * _TOKENS
    ids = rng.integers(2, _WORDS, texts * _TOKENS, dtype=np.int32)  # 0 and 1 are not words
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
        trainer.train_epoch()  # returns the loss as a Python number, so a GPU has finished
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:]) / (texts * _TOKENS)


def choose_precision(wanted: str, device_name: str, native: bool = True) -> str:
    """Return the wanted precision; for ``auto`` the one in which this machine trains faster.

    ``device_name`` is ``cpu`` or ``cuda``. ``native`` says whether ``trainables.kernels`` can
    compute the model's recurrence. For another model ``auto`` is float32: nobody measured it, and
    under autocast torch's own recurrent layers would compute in float16 on a GPU.

    Raises:
        DeviceError: the device does not compute in the wanted precision.
    """
    device = torch.device(device_name)
    if wanted == "auto":
        measures = native and len(precisions(device)) > 1
        return _fastest(device) if measures else "float32"
    if wanted not in precisions(device, native):
        why = "" if native else ", for the model has not this project's recurrence"
        raise DeviceError(
            f"resources.precision = {wanted}: this machine's {device_name} does not compute in it"
            f"{why}; ask for auto or {' or '.join(precisions(device, native))}"
        )
    return wanted


@cache  # a worker trains many trials, and measures once
def _fastest(device: torch.device) -> str:
    single, half = precisions(device)
    middling = RecurrentClassifierHyperparameters(embedding_dim=128, hidden_size=128)
    with _alone_on(device):
        seconds = seconds_per_token(device, single, middling)
        faster = seconds > _MARGIN * seconds_per_token(device, half, middling)
        # The trial that follows may need less than the probe did.
        give_back_freed_memory()
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return half if faster else single


@contextmanager
def _alone_on(device: torch.device) -> Iterator[None]:
    """Keep this user's other processes from measuring the same GPU meanwhile; a core is its own.

    Where no lock can be had, they may measure together, which is better than not to train.
    """
    with ExitStack() as held:
        if device.type == "cuda":
            gpu = str(torch.cuda.get_device_properties(device).uuid)
            # A cache of several users may be another's, or read-only.
            for place in dict.fromkeys((default_cache(), own_cache())):
                with suppress(OSError):
                    held.enter_context(_locked(place.probe_lock(gpu)))
                    break
        yield


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released with the file
        yield
