"""Deadlines from a study's own epochs, by a clock of the test's."""

from search.driver.hangs import HangWatch
from search.policy.failures import Failure, read_failure
from search.spec.study import ResourcesSpec
from tests.study_harness import LOST, StudyHarness


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def watched(tmp_path, tables):
    harness, clock = StudyHarness(tmp_path, tables), Clock()
    resources = ResourcesSpec(hang_factor=4.0, hang_seconds=3.0, first_report_seconds=50.0)
    watch = HangWatch(resources, clock=clock)
    harness.study.follow(watch)
    return harness, watch, clock


def test_deadline_follows_the_attempts_own_epochs(tmp_path, tables):
    harness, watch, clock = watched(tmp_path, tables)
    work = harness.begin()
    clock.now += 50
    assert watch.overdue() == []
    harness.report(work, 1, 0.9)  # in 1.0 s: four are allowed from here on
    clock.now += 3.9
    assert watch.overdue() == []
    clock.now += 0.2
    assert watch.overdue() == [(0, 1)]
    harness.study.fail(0, 1, LOST)
    assert watch.overdue() == []


def test_an_epoch_that_waits_to_be_reported_with_the_next_is_not_overdue(tmp_path, tables):
    harness, clock = StudyHarness(tmp_path, tables), Clock()
    watch = HangWatch(ResourcesSpec(hang_factor=4.0, hang_seconds=3.0), 5.0, clock)
    harness.study.follow(watch)
    harness.report(harness.begin(), 1, 0.9)
    clock.now += 8.9
    assert watch.overdue() == []
    clock.now += 0.2
    assert watch.overdue() == [(0, 1)]


def test_first_report_has_a_deadline_of_its_own(tmp_path, tables):
    """Neither other trials' epochs nor another machine's say how long it may take."""
    harness, watch, clock = watched(tmp_path, tables)
    harness.report(harness.begin(), 1, 0.9)
    harness.study.fail(0, 1, LOST)
    harness.study.next()
    clock.now += 50
    assert watch.overdue() == []
    clock.now += 0.1
    assert watch.overdue() == [(0, 2)]
    watch.restart((0, 2))
    assert watch.overdue() == []


def test_ended_trials_have_no_deadline(tmp_path, tables):
    harness, watch, clock = watched(tmp_path, tables)
    work = harness.begin()
    for epoch in (1, 2, 3, 4):
        harness.report(work, epoch, 0.9)
    clock.now += 1e6
    assert watch.overdue() == []


EXCEPTION = """\x1b[36mray::RecurrentTrial.train()\x1b[39m (pid=1, ip=127.0.0.1)
  File "trial.py", line 55, in step
ValueError: no such thing"""
LOST_TEXT = "The actor died unexpectedly before finishing this task.\n\tclass_name: X"


def test_failures_are_told_apart():
    assert read_failure(EXCEPTION) == Failure("exception", "ValueError: no such thing", EXCEPTION)
    assert read_failure(LOST_TEXT).kind == "lost"
    assert read_failure(LOST_TEXT, hung=True).kind == "hung"
    assert read_failure(EXCEPTION.replace("ValueError", "torch.OutOfMemoryError")).kind == "memory"
    for said in ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED when calling"):
        assert read_failure(EXCEPTION.replace("no such thing", said)).kind == "memory"
    full = EXCEPTION.replace(
        "ValueError: no such thing", "OSError: [Errno 28] No space left on device"
    )
    assert "Make room" in read_failure(full)
    endless = read_failure(EXCEPTION + " \udcff" + " a word" * 9000)
    assert isinstance(endless, Failure) and endless.cause.startswith("ValueError: no such thing ?")
    assert len(endless.cause) <= 500 and endless.cause.endswith("…") and len(endless.detail) > 9000


def test_a_paused_trial_is_not_waited_for(tmp_path, tables):
    tables["stopping"]["losers"] = "pause"
    harness, watch, clock = watched(tmp_path, tables)
    assert not harness.report(harness.begin(), 1, 0.9)
    clock.now += 1000
    assert watch.overdue() == []
