"""The core on a GPU; left out where there is none."""

import warnings
from typing import Any

import pytest
import torch

from tests.builders import EVERYTHING, make_part, make_trainer
from trainables.core.device import CONTEXT_BYTES, limit_gpu_memory
from trainables.core.precision import precisions
from trainables.core.trainer import Trainer
from trainables.data.text.reader import TextReader

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
GPU = torch.device("cuda")
ALL = EVERYTHING | {"num_layers": 2, "bidirectional": True, "pooling": "concat"}


@pytest.fixture(params=["float32", "bfloat16"])
def precision(request) -> str:
    """Each that this GPU and its cuDNN compute in."""
    if request.param not in precisions(GPU):
        pytest.skip(f"no {request.param} here")
    return request.param


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


def same_weights(one: Trainer, other: Trainer) -> bool:
    pairs = zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("more", [{}, ALL, {"clip_norm": 0.0}, {"optimizer": "sgd"}])
def test_an_epoch_waits_as_often_however_many_steps_it_has(precision, more):
    counts = []
    for texts in (64, 256):
        part = make_part(texts)
        trainer = make_trainer(part=part, device=GPU, precision=precision, **more)
        trainer.train_epoch()  # what is set up once may wait
        counts.append(waits(trainer))
    assert counts[0] == counts[1] <= 2


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("more", [{}, {"bidirectional": True, "num_layers": 2}])
def test_a_gpu_learns_what_a_cpu_learns(cell, more):
    losses = []
    for device in (torch.device("cpu"), GPU):
        trainer = make_trainer(device=device, cell=cell, **more)
        losses.append([trainer.train_epoch() for _ in range(3)])
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_half_the_bits_learn_the_same(cell):
    if "bfloat16" not in precisions(GPU):
        pytest.skip("no bfloat16 here")
    losses = []
    for kind in precisions(GPU):
        trainer = make_trainer(device=GPU, precision=kind, cell=cell)
        losses.append([trainer.train_epoch() for _ in range(3)])
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_stored_and_restored_is_the_uninterrupted_run_bit_for_bit(tmp_path, cell, precision):
    choices: dict[str, Any] = {"device": GPU, "precision": precision, "cell": cell, **ALL}
    whole, first, second = (make_trainer(**choices) for _ in range(3))
    for trainer in (whole, whole, first):
        trainer.train_epoch()
    digest = first.save(tmp_path / "x")
    torch.rand(17, device=GPU)  # another process has drawn other numbers
    second.load(tmp_path / "x", digest)
    second.train_epoch()
    assert same_weights(whole, second)


def test_a_snapshot_is_of_its_moment(tmp_path):
    trainers = [make_trainer(device=GPU, **ALL) for _ in range(2)]
    for trainer in trainers:
        trainer.train_epoch()
    snapshot = trainers[0].snapshot()
    trainers[0].train_epoch()
    assert snapshot.write(tmp_path / "late") == trainers[1].save(tmp_path / "at once")


def test_texts_that_stay_on_the_host_are_trained_on_alike(monkeypatch):
    losses = []
    for fits in (True, False):
        monkeypatch.setattr(
            "trainables.data.text.reader.fits_on_gpu", lambda size, device, fits=fits: fits
        )
        trainer = make_trainer(device=GPU, **ALL)
        assert isinstance(trainer.train, TextReader)
        assert (trainer.train.held is not None) == fits
        losses.append([trainer.train_epoch() for _ in range(2)])
    assert losses[0] == losses[1]


def test_a_trial_gets_no_more_than_its_share():
    _, total = torch.cuda.mem_get_info()
    limit_gpu_memory(0.25)
    try:
        with pytest.raises(torch.OutOfMemoryError):
            torch.empty(total // 4 - CONTEXT_BYTES // 2, dtype=torch.uint8, device=GPU)
        torch.empty(total // 4 - 2 * CONTEXT_BYTES, dtype=torch.uint8, device=GPU)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()
