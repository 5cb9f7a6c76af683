"""Computing in half the bits, and where that is chosen."""

import fcntl
import statistics
from types import SimpleNamespace

import pytest
import torch

from tests.builders import make_assignment, make_part, make_trainer
from tests.reviews import write_reviews
from trainables.attempts import attempt, probe
from trainables.core.precision import precisions
from trainables.data.corpus import prepare
from trainables.data.spec import DataSpec
from trainables.data.text.reader import TextReader
from trainables.errors import SeqtuneError
from trainables.storage import Cache

CPU, GPU = torch.device("cpu"), torch.device("cuda")

#: oneDNN refuses an LSTM in bfloat16 on a processor without the instructions.
CELLS = ["rnn", "gru", *(["lstm"] if "bfloat16" in precisions(CPU) else [])]


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_half_the_bits_learn_as_well_as_float32(cell):
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


@pytest.mark.parametrize(
    ("supported", "cudnn", "half"),
    [(True, 91300, True), (True, 91200, False), (False, 91300, False), (True, None, False)],
)
def test_a_gpu_takes_bfloat16_where_it_and_its_cudnn_do(monkeypatch, supported, cudnn, half):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: cudnn)
    assert precisions(GPU) == (("float32", "bfloat16") if half else ("float32",))


def test_a_gpu_is_measured_by_one_process_at_a_time_and_its_memory_given_back(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("SEQTUNE_CACHE", str(tmp_path))
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="GPU-1")
    )
    monkeypatch.setattr(probe, "precisions", lambda device, native=True: ("float32", "bfloat16"))
    happened = []

    def measured(device, precision, h):
        with Cache(tmp_path).probe_lock("GPU-1").open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        happened.append(precision)
        return {"float32": 2.0, "bfloat16": 1.0}[precision]

    monkeypatch.setattr(probe, "seconds_per_token", measured)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: happened.append("given back"))
    probe._fastest.cache_clear()
    try:
        assert probe.choose_precision("auto", "cuda") == "bfloat16"
    finally:
        probe._fastest.cache_clear()
    assert happened == ["float32", "bfloat16", "given back"]
    with Cache(tmp_path).probe_lock("GPU-1").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("own", [True, False])
def test_a_gpu_is_measured_though_the_cache_cannot_be_written(tmp_path, monkeypatch, own):
    """By a lock in this user's own cache, or else without one."""
    monkeypatch.setenv("SEQTUNE_CACHE", "/proc/nowhere")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path) if own else "/proc/nowhere")
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="GPU-1")
    )
    with probe._alone_on(GPU):
        locks = list(tmp_path.rglob("GPU-1.lock"))
        assert len(locks) == own
        for lock in locks:
            with lock.open() as other, pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_model_of_ones_own_is_float32_unless_told_otherwise(monkeypatch, device):
    """No GPU is asked: cuDNN would compute an ``nn.LSTM`` in float16, without a scale."""
    monkeypatch.setattr(probe, "precisions", lambda device, native=True: ("float32", "bfloat16"))
    monkeypatch.setattr(probe, "_fastest", lambda device: "bfloat16")
    assert probe.choose_precision("auto", device, native=True) == "bfloat16"
    assert probe.choose_precision("auto", device, native=False) == "float32"
    assert probe.choose_precision("bfloat16", device, native=False) == "bfloat16"


def test_the_probe_trains():
    assert 0 < probe.seconds_per_token(CPU) < 1e-3
