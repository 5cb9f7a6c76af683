"""The core on a GPU; left out where there is none."""

import warnings
from typing import Any

import pytest
import torch

from tests.builders import EVERYTHING, make_assignment, make_part, make_trainer
from trainables.attempts.attempt import begin, next_epochs
from trainables.core.device import CONTEXT_BYTES, limit_gpu_memory, prepare_device
from trainables.core.precision import precisions
from trainables.core.trainer import Trainer
from trainables.data.corpus import prepare
from trainables.data.spec import DataSpec
from trainables.data.text.reader import TextReader
from trainables.storage import Cache

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
GPU = torch.device("cuda")
ALL = EVERYTHING | {"num_layers": 2, "bidirectional": True, "pooling": "concat"}


@pytest.fixture(autouse=True)
def prepared() -> None:
    """Every trial begins with it: on a GPU float32 means TF32."""
    prepare_device("cuda", 1)
    torch.cuda.set_per_process_memory_fraction(1.0)  # a trial before may have been limited


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
    # Each is built right before it trains: it is then that the GPU's one generator is seeded.
    whole = make_trainer(**choices)
    whole.train_epoch()
    whole.train_epoch()
    first = make_trainer(**choices)
    first.train_epoch()
    digest = first.save(tmp_path / "x")
    second = make_trainer(**choices)
    torch.rand(17, device=GPU)  # another process has drawn other numbers
    second.load(tmp_path / "x", digest)
    second.train_epoch()
    assert same_weights(whole, second)


def test_a_snapshot_is_of_its_moment(tmp_path):
    goes_on = make_trainer(device=GPU, **ALL)
    goes_on.train_epoch()
    snapshot = goes_on.snapshot()
    goes_on.train_epoch()
    stops = make_trainer(device=GPU, **ALL)
    stops.train_epoch()
    assert snapshot.write(tmp_path / "late") == stops.save(tmp_path / "at once")


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


@pytest.mark.parametrize("wanted", ["auto", "float32", "bfloat16"])
def test_an_attempt_reports_its_epochs_and_a_second_goes_on_as_the_first(
    reviews, tmp_path, monkeypatch, wanted
):
    if wanted not in ("auto", *precisions(GPU)):
        pytest.skip(f"no {wanted} here")
    monkeypatch.setenv("SEQTUNE_CACHE", str(tmp_path / "cache"))  # the probe's lock goes there
    corpus = prepare(DataSpec(source=str(reviews), max_tokens=16), Cache(tmp_path / "cache")).path
    h = {"embedding_dim": 8, "hidden_size": 8, "dropout": 0.3}
    given = {"hyperparameters": h, "max_epochs": 4, "rungs": (2,), "gpus": 1.0}
    attempt = begin(make_assignment(corpus, tmp_path, precision=wanted, **given), corpus)
    reports = [report for _ in range(2) for report in next_epochs(attempt, 1000.0)]
    assert [report.epoch for report in reports] == [1, 2, 3, 4]
    assert None not in reports[-1].metrics.values()
    numerics = reports[0].numerics
    assert numerics.device == torch.cuda.get_device_name() and numerics.recurrence == "torch"
    assert wanted in ("auto", numerics.precision)
    stored = reports[1].checkpoint
    given |= {"precision": numerics.precision, "restore": (stored,), "last_journaled_epoch": 2}
    second = begin(make_assignment(corpus, tmp_path, **given), corpus)
    again = next_epochs(second, 1000.0)
    assert [r.checkpoint for r in again] == [r.checkpoint for r in reports[2:]]
    assert [r.metrics for r in again] == [r.metrics for r in reports[2:]]
