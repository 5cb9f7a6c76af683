"""Measures this machine for a forecast."""

import time

import numpy as np

from trainables.core.batching import TextReader
from trainables.core.device import prepare_device
from trainables.core.task import ModelEnds
from trainables.core.trainer import Trainer, TrainerSettings
from trainables.data.corpus import Part
from trainables.hyperparameters import Hyperparameters
from trainables.tasks import TASKS

_TEXTS, _TOKENS = 64, 128


def seconds_per_token(hyperparameters: Hyperparameters) -> float:
    """Seconds one CPU thread takes to train on one token, from the second of two passes over
    made-up texts."""
    device = prepare_device("cpu", 1)
    offsets = np.arange(_TEXTS + 1, dtype=np.int64) * _TOKENS
    ids = np.arange(_TEXTS * _TOKENS, dtype=np.int32) % 100 + 2
    labels = np.arange(_TEXTS, dtype=np.int64) % 2
    reader = TextReader(Part(ids, offsets, labels), _TOKENS, "end")
    make_task = TASKS["text-classification"].load()
    trainer = Trainer(
        make_task(hyperparameters, ModelEnds(102, ("a", "b"), labels)),
        hyperparameters,
        reader,
        TrainerSettings(seed=0, max_epochs=2, device=device),
    )
    trainer.train_epoch()
    started = time.perf_counter()
    trainer.train_epoch()
    return (time.perf_counter() - started) / (_TEXTS * _TOKENS)
