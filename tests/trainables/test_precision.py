"""Computing in bfloat16, and where that is chosen."""

import statistics

import pytest
import torch

from search.errors import SeqtuneError
from tests.pieces import make_part, make_trainer, write_reviews
from trainables import attempt
from trainables.core import probe
from trainables.core.batching import TextReader
from trainables.core.precision import has_bfloat16
from trainables.data.corpus import prepare
from trainables.data.spec import DataSpec
from trainables.hyperparameters import Hyperparameters
from trainables.messages import Assignment

CPU = torch.device("cpu")

#: oneDNN refuses an LSTM in bfloat16 on a processor without the instructions.
CELLS = ["rnn", "gru", *(["lstm"] if has_bfloat16(CPU) else [])]


@pytest.mark.parametrize("cell", CELLS)
def test_bfloat16_learns_as_well_as_float32(cell):
    part, held_out = make_part(160, seed=1), TextReader(make_part(160, seed=2), 12, "end")
    losses = {}
    for precision in ("float32", "bfloat16"):
        found = []
        for seed in range(5):
            trainer = make_trainer(seed, part=part, precision=precision, cell=cell, pooling="mean")
            for _ in range(8):
                trainer.train_epoch()
            found.append(trainer.evaluate(held_out)["loss"])
        losses[precision] = found
    assert losses["bfloat16"] != losses["float32"]
    assert max(losses["float32"]) < 0.5  # it has learnt something
    means = [statistics.mean(found) for found in losses.values()]
    assert means[1] == pytest.approx(means[0], rel=0.02)


def test_weights_stay_float32_and_a_restored_run_is_the_uninterrupted_one(tmp_path):
    whole, stored, restored = (make_trainer(precision="bfloat16", cell="gru") for _ in range(3))
    for trainer in (whole, whole, stored):
        trainer.train_epoch()
    restored.load(tmp_path / "x.safetensors", stored.save(tmp_path / "x.safetensors"))
    restored.train_epoch()
    for one, other in zip(whole.model.parameters(), restored.model.parameters(), strict=True):
        assert one.dtype == torch.float32 and torch.equal(one, other)


@pytest.mark.parametrize(("seconds", "chosen"), [(1.0, "bfloat16"), (1.7, "float32")])
def test_bfloat16_is_chosen_where_it_is_measured_to_be_faster(monkeypatch, seconds, chosen):
    taken = {"float32": 2.0, "bfloat16": seconds}
    monkeypatch.setattr(probe, "has_bfloat16", lambda device: True)
    monkeypatch.setattr(probe, "seconds_per_token", lambda device, precision, h: taken[precision])
    probe._faster.cache_clear()
    try:
        assert probe.choose_precision("auto", "cpu") == chosen
        assert probe.choose_precision("float32", "cpu") == "float32"
        assert probe.choose_precision("bfloat16", "cpu") == "bfloat16"
    finally:
        probe._faster.cache_clear()


def test_bfloat16_is_refused_where_there_is_none(monkeypatch):
    monkeypatch.setattr(probe, "has_bfloat16", lambda device: False)
    assert not has_bfloat16(torch.device("cuda"))
    with pytest.raises(SeqtuneError, match="does not compute in it; ask for auto"):
        probe.choose_precision("bfloat16", "cpu")


def test_a_trial_begun_in_bfloat16_goes_on_where_there_is_none(tmp_path, monkeypatch):
    for place in (probe, attempt):
        monkeypatch.setattr(place, "has_bfloat16", lambda device: False)
    source = str(write_reviews(tmp_path / "reviews.csv"))
    corpus = prepare(DataSpec(source=source), tmp_path / "cache")
    fresh = Assignment(
        number=0,
        attempt=1,
        task="text-classification",
        hyperparameters=Hyperparameters(),
        seed=0,
        max_epochs=2,
        corpus=str(corpus.path),
        max_tokens=12,
        keep="end",
        folder=str(tmp_path),
        checkpoint_prefix="",
        precision="bfloat16",
    )
    with pytest.raises(SeqtuneError, match="does not compute in it"):
        attempt.begin(fresh, corpus.path)
    resumed = attempt.begin(fresh.model_copy(update={"acknowledged": 1}), corpus.path)
    assert resumed.numerics.precision == "float32"


def test_the_probe_trains():
    assert 0 < probe.seconds_per_token(CPU) < 1e-3
