"""The trial whose memory ``machine`` looks at."""

import sys

import torch

from tests.gpu.record import Record
from tests.gpu.setting import Setting, trainer_of
from trainables.core.device import prepare_device


def measure(setting: Setting, record: Record) -> None:
    """Train a small epoch, say how much torch's allocator holds, and wait to be looked at."""
    prepare_device(setting.device, 1)
    trainer = trainer_of(setting, setting.texts(256), batch_size=64)
    trainer.train_epoch()
    trainer.evaluate(trainer.train)
    record.add({"reserved": 0 if setting.toy else torch.cuda.memory_reserved()})
    sys.stdin.read()
