"""An attempt without Ray: which epochs are reported together, and how much of a GPU it takes."""

import errno
import threading
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.builders import make_assignment
from trainables.attempts.attempt import Attempt, _storing, begin, next_epochs
from trainables.attempts.immediate import ImmediateExecutor
from trainables.core.trainer import Trainer
from trainables.data.corpus import prepare
from trainables.data.spec import DataSpec
from trainables.storage import Cache

SMALL = {"embedding_dim": 4, "hidden_size": 4}


@pytest.fixture
def corpus(reviews: Path, tmp_path: Path) -> Path:
    return prepare(DataSpec(source=str(reviews), max_tokens=16), Cache(tmp_path / "cache")).path


def begun(corpus: Path, folder: Path, patience: int = 0, rungs: tuple[int, ...] = ()) -> Attempt:
    h = SMALL | {"patience": patience}
    assignment = make_assignment(corpus, folder, hyperparameters=h, max_epochs=7, rungs=rungs)
    return begin(assignment, corpus)


def epochs(attempt: Attempt, seconds: float) -> list[list[int]]:
    """Of each message, to the trial's last."""
    messages: list[list[int]] = [[]]
    while 7 not in messages[-1]:
        messages.append([report.epoch for report in next_epochs(attempt, seconds)])
    return messages[1:]


def test_quick_epochs_are_reported_together_up_to_each_rung(corpus, tmp_path):
    attempt = begun(corpus, tmp_path, rungs=(1, 3))
    assert epochs(attempt, 1000.0) == [[1], [2, 3], [4, 5, 6, 7]]
    assert all((tmp_path / f"epoch-{epoch:03d}.safetensors").exists() for epoch in range(1, 8))


def test_an_epoch_that_may_not_wait_is_reported_alone(corpus, tmp_path):
    assert epochs(begun(corpus, tmp_path), 0.0) == [[n] for n in range(1, 8)]


def test_every_epoch_of_a_trial_with_patience_is_answered(corpus, tmp_path):
    assert epochs(begun(corpus, tmp_path, patience=5), 1000.0) == [[n] for n in range(1, 8)]


def test_what_waits_to_be_reported_is_on_the_disk(corpus, tmp_path):
    attempt = begun(corpus, tmp_path, rungs=(1, 4, 6))
    kept = []
    for _ in range(4):
        reports = next_epochs(attempt, 1000.0)
        path = tmp_path / "unreported.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        kept.append([report for report in reports if report.model_dump_json() in lines])
    assert [[r.epoch for r in group] for group in kept] == [[], [2, 3], [5], []]


def test_no_more_than_ten_wait_for_each_other(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("trainables.attempts.attempt.MAX_EPOCHS_PER_REPORT", 3)
    assert epochs(begun(corpus, tmp_path), 1000.0) == [[1, 2, 3], [4, 5, 6], [7]]


def test_nothing_is_trained_beyond_an_epoch_that_is_not_finite(corpus, tmp_path):
    attempt = begun(corpus, tmp_path)
    for parameter in attempt.trainer.model.parameters():
        parameter.data.fill_(float("nan"))
    (report,) = next_epochs(attempt, 1000.0)
    assert report.metrics["val/loss"] is None


def test_what_is_reported_is_the_same_together_and_alone(corpus, tmp_path):
    reports = []
    for seconds in (0.0, 1000.0):
        attempt = begun(corpus, tmp_path)
        metrics: list[Any] = []
        digests: list[str] = []
        while len(metrics) < 7:
            for report in next_epochs(attempt, seconds):
                metrics.append(report.metrics)
                digests.append(report.checkpoint.digest)
        reports.append((metrics, digests))
    assert reports[0] == reports[1]


class Behind(ThreadPoolExecutor):
    """A GPU's executor on a CPU, where a snapshot must be copied first; it may be held up.

    Attributes:
        open: set it to let checkpoints be written.
        awaited: set when somebody waits for a checkpoint.
        undone: at each submission, how many earlier ones are not written yet.
    """

    def __init__(self) -> None:
        super().__init__(1)
        self.open, self.awaited = threading.Event(), threading.Event()
        self.undone, self._futures = list[int](), list[Future]()

    def submit(self, call, /, attempt, epoch, *rest):  # type: ignore[override]
        copies = {name: tensor.clone() for name, tensor in epoch.snapshot.tensors.items()}
        epoch = replace(epoch, snapshot=replace(epoch.snapshot, tensors=copies))
        self.undone.append(sum(not future.done() for future in self._futures))
        future = super().submit(self._held_up, call, attempt, epoch, *rest)
        self._futures.append(future)
        result = future.result

        def awaited(timeout=None):
            self.awaited.set()
            return result(timeout)

        future.result = awaited  # type: ignore[method-assign]
        return future

    def _held_up(self, call, *given):
        assert self.open.wait(30)
        return call(*given)


def test_checkpoints_written_behind_training_are_those_written_in_line(corpus, tmp_path):
    found = []
    for storing in (None, Behind()):
        attempt = begun(corpus, tmp_path, rungs=(3,))
        if storing is not None:
            attempt.storing = storing
            storing.open.set()
        reports = [next_epochs(attempt, 1000.0) for _ in range(2)]
        lines = (tmp_path / "unreported.jsonl").read_text().splitlines()
        assert [r.epoch for r in reports[1]] == [4, 5, 6, 7]
        assert lines == [report.model_dump_json() for report in reports[1][:-1]]
        found.append([r.checkpoint for some in reports for r in some])
    assert found[0] == found[1]


def test_training_goes_on_while_a_checkpoint_is_written_and_no_report_before_it_is(
    corpus, tmp_path, monkeypatch
):
    """Two epochs further, but without a third snapshot in the host's memory."""
    attempt = begun(corpus, tmp_path, rungs=(6,))
    attempt.storing = storing = Behind()
    snapshot, taken = attempt.trainer.snapshot, list[int]()

    def counted():
        taken.append(attempt.trainer.epoch)
        return snapshot()

    monkeypatch.setattr(attempt.trainer, "snapshot", counted)
    with ThreadPoolExecutor(1) as pool:
        reports = pool.submit(next_epochs, attempt, 1000.0)
        assert storing.awaited.wait(30)
        assert attempt.trainer.epoch == 3 and taken == [1, 2]
        assert not list(tmp_path.glob("*.safetensors")) and not reports.done()
        storing.open.set()
        assert [report.epoch for report in reports.result(30)] == [1, 2, 3, 4, 5, 6]
    assert storing.undone[:2] == [0, 1] and max(storing.undone) == 1
    assert len(list(tmp_path.glob("*.safetensors"))) == 6


def test_checkpoints_of_a_gpu_are_written_behind_training_one_by_one():
    """Each adds a line behind those of earlier epochs."""
    with _storing(torch.device("cuda")) as storing:
        together = threading.Barrier(2, timeout=0.2)
        met = [storing.submit(together.wait) for _ in range(2)]
        assert all(isinstance(one.exception(), threading.BrokenBarrierError) for one in met)
        assert storing.submit(threading.get_ident).result() != threading.get_ident()
    in_line = _storing(torch.device("cpu"))
    assert in_line.submit(threading.get_ident).result() == threading.get_ident()


def test_an_attempt_stores_as_its_device_asks(corpus, tmp_path, monkeypatch):
    chosen = {torch.device("cpu"): ImmediateExecutor()}
    monkeypatch.setattr("trainables.attempts.attempt._storing", chosen.pop)
    first = next(iter(chosen.values()))
    assert begun(corpus, tmp_path).storing is first


def test_a_checkpoint_that_cannot_be_written_behind_training_ends_the_attempt(
    corpus, tmp_path, monkeypatch
):
    attempt = begun(corpus, tmp_path, rungs=(3,))
    attempt.storing = storing = Behind()
    storing.open.set()

    def full(path, content):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr("trainables.core.checkpoint.replace_file", full)
    with pytest.raises(OSError, match="no space left"):
        next_epochs(attempt, 1000.0)
    assert not (tmp_path / "unreported.jsonl").exists()


@pytest.mark.parametrize("left", [1, 0])
def test_a_newest_checkpoint_that_is_gone_is_told(corpus, tmp_path, left):
    first, *_ = next_epochs(begun(corpus, tmp_path), 1000.0)
    assignment = make_assignment(
        corpus,
        tmp_path,
        hyperparameters=SMALL,
        max_epochs=7,
        restore=(first.checkpoint,)[:left],
        last_journaled_epoch=2,
    )
    (report, *_) = next_epochs(begin(assignment, corpus), 0.0)
    assert (report.epoch, report.restored.epoch) == (3, left)
    assert report.restored.reason == "its newest checkpoint is gone"


@pytest.mark.lengthy
def test_a_trainer_of_a_damaged_checkpoint_goes_before_the_next_is_built(
    corpus, tmp_path, monkeypatch
):
    """On a GPU that others fill there may be room for one only."""
    first, *_ = next_epochs(begun(corpus, tmp_path), 1000.0)
    (tmp_path / first.checkpoint.path).write_bytes(b"damaged")
    alive: list[weakref.ref[torch.nn.Module]] = []

    def counted(*given: Any) -> Trainer:
        assert not any(model() for model in alive)
        trainer = Trainer(*given)
        alive.append(weakref.ref(trainer.model))
        return trainer

    monkeypatch.setattr("trainables.attempts.attempt.Trainer", counted)
    checkpoints = (first.checkpoint, first.checkpoint)
    work = make_assignment(corpus, tmp_path, hyperparameters=SMALL, restore=checkpoints)
    assert begin(work, corpus).restored is not None
    assert len(alive) == 3


@pytest.mark.parametrize(("gpus", "limits"), [(0.25, [0.25]), (1.0, [1.0]), (0.0, [])])
def test_an_attempt_takes_its_share_of_a_gpus_memory(corpus, tmp_path, monkeypatch, gpus, limits):
    """There is no GPU: everything but the limit is the CPU's."""
    seen: list[float] = []
    monkeypatch.setattr("trainables.attempts.attempt.limit_gpu_memory", seen.append)
    monkeypatch.setattr(
        "trainables.attempts.attempt.prepare_device", lambda *given: torch.device("cpu")
    )
    monkeypatch.setattr("trainables.attempts.attempt.choose_precision", lambda *given: "float32")
    h = SMALL
    begin(make_assignment(corpus, tmp_path, hyperparameters=h, gpus=gpus), corpus)
    assert seen == limits
