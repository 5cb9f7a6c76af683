"""An attempt without Ray: which epochs are reported together, and how much of a GPU it takes."""

from pathlib import Path

import pytest
import torch

from tests.builders import make_assignment
from trainables.attempts.attempt import Attempt, begin, next_epochs
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
        metrics, digests = [], []
        while len(metrics) < 7:
            for report in next_epochs(attempt, seconds):
                metrics.append(report.metrics)
                digests.append(report.checkpoint.digest)
        reports.append((metrics, digests))
    assert reports[0] == reports[1]


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


@pytest.mark.parametrize(("gpus", "limits"), [(0.25, [0.25]), (1.0, [1.0]), (0.0, [])])
def test_an_attempt_takes_its_share_of_a_gpus_memory(corpus, tmp_path, monkeypatch, gpus, limits):
    """There is no GPU: everything but the limit is the CPU's."""
    seen: list[float] = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", seen.append)
    monkeypatch.setattr(
        "trainables.attempts.attempt.prepare_device", lambda *given: torch.device("cpu")
    )
    monkeypatch.setattr("trainables.attempts.attempt.choose_precision", lambda *given: "float32")
    h = SMALL
    begin(make_assignment(corpus, tmp_path, hyperparameters=h, gpus=gpus), corpus)
    assert seen == limits
