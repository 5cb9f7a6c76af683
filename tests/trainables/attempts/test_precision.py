"""Computing in half the bits, and where that is chosen."""

import statistics

import pytest
import torch

from search.errors import SeqtuneError
from tests.builders import make_assignment, make_part, make_trainer, write_reviews
from trainables.attempts import attempt, probe
from trainables.core.precision import loss_scaler, precisions
from trainables.data.corpus import prepare
from trainables.data.spec import DataSpec
from trainables.data.text.reader import TextReader
from trainables.storage import Cache

CPU = torch.device("cpu")

#: oneDNN refuses an LSTM in bfloat16 on a processor without the instructions.
CELLS = ["rnn", "gru", *(["lstm"] if "bfloat16" in precisions(CPU) else [])]


#: Cells and precisions to compute in: a CPU computes in float16 too, if slowly.
HALVES = [
    *((cell, "bfloat16") for cell in CELLS),
    *(pytest.param(cell, "float16", marks=pytest.mark.slow) for cell in ("gru", "rnn")),
]


@pytest.mark.parametrize(("cell", "half"), HALVES)
def test_half_the_bits_learn_as_well_as_float32(cell, half):
    part, held_out = make_part(160, seed=1), TextReader(make_part(160, seed=2), 12, "end")
    losses = {}
    for precision in ("float32", half):
        found = []
        for seed in range(5):
            trainer = make_trainer(seed, part=part, precision=precision, cell=cell, pooling="mean")
            for _ in range(8):
                trainer.train_epoch()
            found.append(trainer.evaluate(held_out)["loss"])
        losses[precision] = found
    assert losses[half] != losses["float32"]
    assert max(losses["float32"]) < 0.5  # it has learnt something
    means = [statistics.mean(found) for found in losses.values()]
    assert means[1] == pytest.approx(means[0], rel=0.02)


@pytest.mark.parametrize("half", ["bfloat16", "float16"])
def test_weights_stay_float32_and_a_restored_run_is_the_uninterrupted_one(tmp_path, half):
    whole, stored, restored = (make_trainer(precision=half, cell="gru") for _ in range(3))
    for trainer in (whole, whole, stored):
        trainer.train_epoch()
    restored.load(tmp_path / "x.safetensors", stored.save(tmp_path / "x.safetensors"))
    restored.train_epoch()
    for one, other in zip(whole.model.parameters(), restored.model.parameters(), strict=True):
        assert one.dtype == torch.float32 and torch.equal(one, other)
    assert whole.scaler.state_dict() == restored.scaler.state_dict()


def test_only_float16_scales_the_loss():
    assert [loss_scaler(p, CPU).is_enabled() for p in ("float32", "bfloat16", "float16")] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_a_step_whose_gradients_left_float16s_range_is_left_out(tmp_path, optimizer):
    """And the next ones are scaled less, also by whoever goes on from there."""
    trainer, next_one = (
        make_trainer(precision="float16", cell="gru", optimizer=optimizer, batch_size=1000)
        for _ in range(2)
    )
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**38)
    before = [p.detach().clone() for p in trainer.model.parameters()]
    trainer.train_epoch()
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.model.parameters(), strict=True))
    assert trainer.scaler.get_scale() == 2.0**37
    next_one.load(tmp_path / "x.safetensors", trainer.save(tmp_path / "x.safetensors"))
    next_one.train_epoch()
    assert next_one.scaler.get_scale() == 2.0**36
    for _ in range(30):
        next_one.train_epoch()
    assert next_one.scaler.get_scale() < 2.0**36
    assert not torch.equal(before[0], next(next_one.model.parameters()))
    assert all(p.isfinite().all() for p in next_one.model.parameters())


@pytest.mark.parametrize(("seconds", "chosen"), [(1.0, "bfloat16"), (1.7, "float32")])
def test_bfloat16_is_chosen_where_it_is_measured_to_be_faster(monkeypatch, seconds, chosen):
    taken = {"float32": 2.0, "bfloat16": seconds}
    monkeypatch.setattr(probe, "precisions", lambda device, native=True: ("float32", "bfloat16"))
    monkeypatch.setattr(probe, "seconds_per_token", lambda device, precision, h: taken[precision])
    probe._fastest.cache_clear()
    try:
        assert probe.choose_precision("auto", "cpu") == chosen
        assert probe.choose_precision("float32", "cpu") == "float32"
        assert probe.choose_precision("bfloat16", "cpu") == "bfloat16"
    finally:
        probe._fastest.cache_clear()


def test_bfloat16_is_refused_where_there_is_none(monkeypatch):
    monkeypatch.setattr(probe, "precisions", lambda device, native=True: ("float32",))
    with pytest.raises(SeqtuneError, match="does not compute in it; ask for auto"):
        probe.choose_precision("bfloat16", "cpu")


def test_a_trial_begun_in_bfloat16_goes_on_where_there_is_none(tmp_path, monkeypatch):
    for place in (probe, attempt):
        monkeypatch.setattr(place, "precisions", lambda device, native=True: ("float32",))
    source = str(write_reviews(tmp_path / "reviews.csv"))
    corpus = prepare(DataSpec(source=source), Cache(tmp_path / "cache"))
    kept = make_assignment(corpus.path, tmp_path, precision="bfloat16")
    assert attempt.begin(kept, corpus.path).numerics.precision == "float32"
    with pytest.raises(SeqtuneError, match="does not compute in it"):
        attempt.begin(kept.model_copy(update={"precision_required": True}), corpus.path)


def test_a_gpu_takes_float16_and_refuses_bfloat16(monkeypatch):
    assert precisions(torch.device("cuda")) == ("float32", "float16")
    with pytest.raises(SeqtuneError, match="ask for auto or float32 or float16"):
        probe.choose_precision("bfloat16", "cuda")
    taken = {"float32": 2.0, "float16": 1.0}
    monkeypatch.setattr(probe, "seconds_per_token", lambda device, precision, h: taken[precision])
    probe._fastest.cache_clear()
    try:
        assert probe.choose_precision("auto", "cuda") == "float16"
    finally:
        probe._fastest.cache_clear()


def test_the_probe_trains():
    assert 0 < probe.seconds_per_token(CPU) < 1e-3
