"""Which checkpoints stay."""

import pytest

from search.driver.retention import CheckpointKeeper
from tests.study_harness import LOST, StudyHarness


@pytest.mark.parametrize(("keep", "left"), [("last", "4"), ("best", "2")])
def test_a_failed_trial_leaves_none_and_an_ended_one_the_epoch_that_is_kept(
    tmp_path, tables, keep, left
):
    tables["stopping"] = {"max_epochs": 4, "grace_epochs": 4}
    harness = StudyHarness(tmp_path, tables, max_failures=0)
    harness.crash_and_reopen(total=4)
    harness.study.follow(CheckpointKeeper(harness.folder, harness.study.state, 2, keep))
    for number in range(4):
        work = harness.begin()
        if number % 2:
            harness.report(work, 1, None)
            continue
        for epoch, value in enumerate((0.5, 0.7, 0.6, 0.6), start=1):
            harness.report(work, epoch, value)
    harness.study.next()
    states = [trial.state for trial in harness.study.state.trials]
    assert states == ["completed", "failed"] * 2
    kept = [sorted(harness.folder.checkpoints_of(number).glob("*")) for number in range(4)]
    assert [len(files) for files in kept] == [1, 0, 1, 0]
    assert all(f"epoch-{left.zfill(3)}" in files[0].name for files in kept[::2]), kept


def test_what_a_lost_attempt_has_left_goes_with_the_end_of_its_trial(tmp_path, tables):
    tables["stopping"] = {"max_epochs": 4, "grace_epochs": 4}
    harness = StudyHarness(tmp_path, tables)
    harness.study.follow(CheckpointKeeper(harness.folder, harness.study.state, 1))
    work = harness.begin()
    harness.report(work, 1, 0.5)
    place = harness.folder.checkpoints_of(0)
    (place / "attempt-01-epoch-002.safetensors").write_bytes(b"written, and never reported")
    (place / ".attempt-01-epoch-003.safetensors.ab12.writing").write_bytes(b"torn")
    harness.study.fail(0, 1, LOST)
    work = harness.begin()
    for epoch in (2, 3, 4):
        harness.report(work, epoch, 0.5)
    assert [path.name for path in place.iterdir()] == ["attempt-01-epoch-001.safetensors"]
    better = harness.begin()
    for epoch in (1, 2, 3, 4):
        harness.report(better, epoch, 0.6)
    assert not place.exists(), "one alone is kept"
