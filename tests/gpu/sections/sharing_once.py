"""One of the trials of ``sharing``."""

import os
import sys

import torch

from tests.gpu.record import Record
from tests.gpu.sections.sharing import EPOCHS, SHARE
from tests.gpu.setting import Setting, trainer_of
from trainables.core.device import limit_gpu_memory, prepare_device

_TEXTS = 20_000


def measure(setting: Setting, record: Record) -> None:
    """Say that it is ready, wait for the word, train, say how it went, and wait to be ended."""
    prepare_device(setting.device, 1)
    if setting.device == "cuda":
        limit_gpu_memory(float(os.environ[SHARE]))
    trainer = trainer_of(setting, setting.texts(_TEXTS), batch_size=128)
    trainer.train_epoch()
    print("ready", flush=True)
    if sys.stdin.readline() != "go\n":
        return  # another of them has failed, or all are out of time
    losses = [trainer.train_epoch() for _ in range(EPOCHS)]
    reserved = torch.cuda.max_memory_reserved() if setting.device == "cuda" else 0
    record.add({"loss": losses[-1], "reserved_mib": reserved >> 20})
    sys.stdin.read()  # meanwhile the memory of all is looked at
