"""The same core on a GPU; left out where there is none."""

import warnings

import pytest
import torch

from tests.builders import make_part, make_trainer
from trainables.core.trainer import Trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
GPU = torch.device("cuda")


def waits(trainer: Trainer) -> int:
    """How often an epoch waits for the GPU."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            trainer.train_epoch()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(warning.message) for warning in seen)


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize(
    "more", [{}, {"ema_decay": 0.9}, {"word_dropout": 0.1}, {"clip_norm": 0.0}]
)
def test_an_epoch_waits_as_often_however_many_steps_it_has(precision, more):
    counts = []
    for texts in (64, 256):
        part = make_part(texts)
        trainer = make_trainer(part=part, device=GPU, precision=precision, **more)
        trainer.train_epoch()  # what is set up once may wait
        counts.append(waits(trainer))
    assert counts[0] == counts[1] <= 2


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_gpu_learns_what_a_cpu_learns(cell):
    losses = []
    for device in (torch.device("cpu"), GPU):
        trainer = make_trainer(device=device, cell=cell)
        losses.append([trainer.train_epoch() for _ in range(3)])
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
