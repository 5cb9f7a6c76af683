"""The study without Ray: decisions, retries, and what is left undone."""

import errno
from pathlib import Path

import pytest
from optuna.trial import TrialState

from search.driver.recorder import StudyRecorder
from search.driver.signals import Halt, check_hope
from search.errors import StudyFailed
from search.journal.events import EpochDone
from search.policy.failures import Failure
from search.spec.resolve import resolve
from search.spec.study import ResourcesSpec
from tests.study_harness import LOST, PREPARED, StudyHarness, changed, session, told_trials
from trainables.attempts.messages import Restored


def test_good_trial_completes_and_bad_one_is_pruned(harness):
    good, bad = harness.study.next(), harness.study.next()
    assert (good.number, bad.number) == (0, 1)
    assert all(harness.report(good, epoch, 0.8) for epoch in (1, 2, 3))
    assert not harness.report(good, 4, 0.7)
    assert not harness.report(bad, 1, 0.5)
    states = [trial.state for trial in harness.study.state.trials]
    assert states == ["completed", "pruned"]
    told = told_trials(harness)
    assert [t.state for t in told] == [TrialState.COMPLETE, TrialState.PRUNED]
    assert [t.value for t in told] == [-0.8, -0.5]
    assert told[0].intermediate_values == {4: -0.7}
    assert harness.study.state.best().trial.number == 0


def test_epochs_of_one_message_are_taken_in_as_if_each_came_alone(harness, tmp_path, tables):
    (tmp_path / "alone").mkdir()
    alone = StudyHarness(tmp_path / "alone", tables)
    values = (0.5, 0.7, None, 0.9)
    work = alone.begin()
    assert [alone.report(work, e, v) for e, v in enumerate(values, 1)] == [True, True, False, False]
    work = harness.begin()
    assert not harness.study.report([harness.epoch(work, e, v) for e, v in enumerate(values, 1)])
    assert harness.kinds() == alone.kinds() and harness.kinds()[-4:] == ["epoch"] * 3 + ["end"]
    assert harness.study.state.trials == alone.study.state.trials


def test_nobody_sees_epochs_that_the_journal_has_not(harness):
    """Several are written in one append, and only then shown."""
    work, seen = harness.study.next(), []
    harness.study.follow(lambda event, state: seen.append(len(harness.events())))
    before = len(harness.events())
    assert harness.study.report([harness.epoch(work, 1, 0.6), harness.epoch(work, 2, 0.7)])
    assert seen == [before + 2] * 2


def test_observers_are_told_of_the_events_of_a_moment_together(harness, monkeypatch):
    seen, clock = [], [100.0]
    monkeypatch.setattr("search.driver.recorder.time.monotonic", lambda: clock[0])
    journal, state = harness.journal, harness.study.state
    study = StudyRecorder(harness.folder, journal, state, PREPARED, tell_seconds=0.1)
    study.begin(session(), ResourcesSpec())
    study.follow(lambda event, state: seen.append(event.event))
    work = study.next()
    assert study.report([harness.epoch(work, 1, 0.6)])
    study.tell_when_due()
    assert not seen and harness.kinds()[-3:] == ["trial", "attempt", "epoch"]
    clock[0] += 0.2
    study.tell_when_due()
    assert seen == ["trial", "attempt", "epoch"]
    clock[0] += 5.0
    assert study.report([harness.epoch(work, 2, 0.6)])  # after a quiet time, at once
    assert seen[3:] == ["epoch"]
    study.next()
    study.end("finished")
    assert seen[4:] == ["trial", "attempt", "session_end"]


def test_an_observer_that_cannot_write_ends_the_search(harness):
    def full(event, state):
        raise OSError(errno.ENOSPC, "No space left on device", "events.out")

    harness.study.follow(full)
    with pytest.raises(StudyFailed, match=r"No space left on device.*events\.out"):
        harness.study.next()


def leave_unreported(harness, work, *epochs: int) -> Path:
    """As a process that dies with these epochs finished and the next under way."""
    path = harness.folder.root / work.unreported
    reports = [harness.epoch(work, epoch, 0.9).model_dump_json() for epoch in epochs]
    path.write_text("".join(f"{report}\n" for report in reports))
    return path


def test_epochs_that_waited_to_be_reported_outlive_driver_and_worker(harness):
    first, second = harness.study.next(), harness.study.next()
    harness.report(first, 1, 0.9)
    path = leave_unreported(harness, first, 1, 2)
    path.write_text(path.read_text() + path.read_text()[:50])  # torn
    leave_unreported(harness, second, 1)
    harness.study.fail(second.number, second.attempt, LOST)
    assert harness.study.next().last_journaled_epoch == 1
    harness.crash_and_reopen()
    assert harness.study.next().last_journaled_epoch == 2
    assert harness.study.next().last_journaled_epoch == 1
    epochs = [(e.trial, e.epoch) for e in harness.events() if isinstance(e, EpochDone)]
    assert epochs == [(0, 1), (1, 1), (0, 2)]


def test_an_epoch_that_waited_and_whose_checkpoint_is_gone_is_repeated(harness):
    work = harness.begin()
    leave_unreported(harness, work, 1, 2)
    (harness.folder.root / f"{work.checkpoint_prefix}epoch-001.safetensors").unlink()
    harness.crash_and_reopen()
    assert harness.study.next().last_journaled_epoch == 0


def test_a_waiting_epoch_that_is_not_the_attempts_own_is_passed_by(harness):
    work = harness.begin()
    other = harness.epoch(work, 1, 0.9).model_copy(update={"number": 7})
    (harness.folder.root / work.unreported).write_text(other.model_dump_json() + "\n")
    harness.crash_and_reopen()
    assert harness.study.next().last_journaled_epoch == 0


def test_patience_ends_a_trial_that_no_longer_improves(harness, tables):
    tables["fixed"]["patience"] = 2
    tables["stopping"] |= {"max_epochs": 9, "grace_epochs": 9}
    harness.crash_and_reopen(change=changed(resolve(tables, "x")))
    work = harness.begin()
    assert [
        harness.report(work, epoch, value)
        for epoch, value in enumerate((0.5, 0.7, 0.6, 0.71, 0.71), start=1)
    ] == [True] * 5
    assert not harness.report(work, 6, 0.7)
    trial = harness.study.state.trials[0]
    assert (trial.state, trial.reason) == ("completed", "no better since epoch 4")


def test_value_that_is_not_finite_fails_the_trial(harness):
    work = harness.begin()
    assert harness.report(work, 1, 0.9)
    assert not harness.report(work, 2, None)
    trial = harness.study.state.trials[0]
    assert trial.state == "failed" and "not finite at epoch 2" in trial.reason
    told = told_trials(harness)[0]
    assert told.state == TrialState.FAIL
    assert harness.study.state.best().trial.number == 0  # its first epoch was good


def test_a_trial_keeps_the_precision_it_began_with(harness):
    first = harness.study.next()
    assert first.precision == "auto"
    harness.report(first, 1, 0.6, precision="bfloat16")
    harness.crash_and_reopen()
    resumed, fresh = harness.study.next(), harness.study.next()
    assert (resumed.number, resumed.precision) == (0, "bfloat16")
    assert (fresh.number, fresh.precision) == (1, "bfloat16")  # what the study has measured
    assert not resumed.precision_required and not fresh.precision_required
    harness.report(resumed, 2, 0.6, precision="float32")
    moved = [event for event in harness.events() if event.event == "moved"]
    assert "bfloat16" in moved[0].before and "float32" in moved[0].after


def test_the_present_study_has_its_last_sessions_resources(harness):
    wanted = ResourcesSpec(cpus_per_trial=2, keep_best=3)
    resources = wanted.model_dump(mode="json")
    harness.study.begin(session(9).model_copy(update={"resources": resources}), wanted)
    present = harness.study.state.present_spec()
    assert (present.search.trials, present.resources) == (9, wanted)
    unchanged = {"search": harness.study.state.spec.search, "resources": ResourcesSpec()}
    assert present.model_copy(update=unchanged) == harness.study.state.spec


def test_a_precision_asked_for_by_name_is_insisted_on(harness):
    harness.report(harness.begin(), 1, 0.6, precision="float32")
    harness.study.begin(session(), ResourcesSpec(precision="bfloat16"))
    resumed, fresh = harness.study.next(), harness.study.next()
    assert (resumed.precision, resumed.precision_required) == ("float32", False)
    assert (fresh.precision, fresh.precision_required) == ("bfloat16", True)


def test_a_gpu_has_a_precision_of_its_own(harness):
    harness.report(harness.begin(), 1, 0.6, precision="bfloat16")
    harness.study.begin(session(), ResourcesSpec(gpus_per_trial=0.5))
    harness.study.next()
    assert harness.study.next().precision == "auto"


def test_the_accuracy_of_a_network_of_nan_is_worth_nothing(harness, tables):
    """It calls every text by the first class, which may be most of them."""
    good, broken = harness.study.next(), harness.study.next()
    assert harness.report(good, 1, 0.6)
    assert not harness.report(broken, 1, 0.9, loss=None)
    trial = harness.study.state.trials[broken.number]
    assert (trial.state, trial.reason) == ("failed", "val/loss is not finite at epoch 1")
    assert trial.best_epoch is None
    harness.crash_and_reopen(change=changed(resolve(tables | {"metric": "val/accuracy"}, "x")))
    assert harness.study.state.best().trial.number == good.number


@pytest.mark.parametrize("keep", [True, False])
def test_a_trial_is_told_whether_to_keep_freed_memory(harness, keep):
    harness.study.begin(session(), ResourcesSpec(keep_freed_memory=keep))
    assert harness.study.next().keep_freed_memory is keep


def test_lost_attempts_are_retried_from_their_checkpoint_and_bounded(harness):
    first = harness.study.next()
    harness.report(first, 1, 0.6)
    harness.study.fail(first.number, first.attempt, LOST)
    second = harness.study.next()
    assert (second.number, second.attempt, second.last_journaled_epoch) == (0, 2, 1)
    assert [c.epoch for c in second.restore] == [1]
    harness.study.fail(0, 2, LOST)
    third = harness.study.next()
    harness.study.fail(0, 3, LOST)
    assert third.attempt == 3
    trial = harness.study.state.trials[0]
    assert trial.state == "failed" and trial.reason == "The actor died"
    assert harness.study.next().number == 1


@pytest.mark.parametrize(
    ("kind", "attempts"), [("exception", 1), ("memory", 2), ("hung", 3), ("lost", 3)]
)
def test_how_often_a_failure_is_retried(harness, kind, attempts):
    for attempt in range(1, attempts + 1):
        work = harness.begin()
        assert (work.number, work.attempt) == (0, attempt)
        harness.study.fail(0, attempt, Failure(kind, "cause", "detail"))
    assert harness.study.state.trials[0].state == "failed"


def test_no_retry_at_all(tmp_path, tables):
    harness = StudyHarness(tmp_path, tables, max_failures=0)
    harness.study.next()
    harness.study.fail(0, 1, LOST)
    assert harness.study.state.trials[0].state == "failed"


def test_reports_of_an_old_attempt_are_ignored(harness):
    old = harness.study.next()
    harness.study.fail(0, 1, LOST)
    new = harness.study.next()
    before = harness.folder.journal.read_bytes()
    assert not harness.report(old, 1, 0.9)
    harness.study.fail(0, 1, LOST)
    assert harness.folder.journal.read_bytes() == before
    assert harness.report(new, 1, 0.9)
    assert not harness.report(new, 1, 0.9)  # the same epoch twice
    assert not harness.report(new, 3, 0.9)  # an epoch left out


def test_a_decision_not_carried_out_is_carried_out_at_resume(harness):
    work = harness.begin()
    for epoch in (1, 2, 3, 4):
        harness.report(work, epoch, 0.8)
    harness.journal.close()
    lines = harness.folder.journal.read_bytes().splitlines(keepends=True)
    harness.folder.journal.write_bytes(b"".join(lines[:-1]))  # killed before the end's line
    harness.open()
    assert harness.kinds()[-2:] == ["session", "end"]
    assert harness.study.state.trials[0].state == "completed"


def test_running_trials_wait_again_and_go_first(harness):
    harness.study.next()
    work = harness.begin()
    harness.report(work, 1, 0.9)
    harness.crash_and_reopen()
    again = [harness.study.next() for _ in range(3)]
    handed_out = [(w.number, w.attempt, w.last_journaled_epoch) for w in again]
    assert handed_out == [(0, 2, 0), (1, 2, 1), (2, 1, 0)]
    assert "attempt-02" in again[1].checkpoint_prefix


def test_finished_only_when_the_total_has_ended(harness):
    harness.crash_and_reopen(total=1)
    work = harness.begin()
    assert harness.study.next() == "wait"
    harness.study.fail(work.number, work.attempt, Failure("exception", "bad", "bad"))
    assert harness.study.next() == "finished"
    harness.crash_and_reopen(total=2)
    assert harness.study.next().number == 1


def test_what_happened_on_the_way_is_journaled(harness):
    work = harness.begin()
    harness.report(work, 1, 0.9)
    harness.study.fail(0, 1, LOST)
    again = harness.study.next()
    harness.report(again, 2, 0.9, restored=Restored(epoch=0, reason="digest differs"))
    assert harness.kinds()[-2:] == ["restored", "epoch"]


def test_checkpoint_that_only_another_machine_sees_ends_the_study(harness, monkeypatch):
    monkeypatch.setattr("search.journal.folder.time.sleep", lambda seconds: None)
    work = harness.begin()
    monkeypatch.setattr(Path, "write_bytes", lambda path, content: len(content))
    with pytest.raises(StudyFailed, match="all nodes share"):
        harness.report(work, 1, 0.9)
    assert not harness.study.state.trials[0].epochs


def test_missing_checkpoints_are_not_offered(harness):
    work = harness.begin()
    for epoch in (1, 2, 3):
        harness.report(work, epoch, 0.9)
    trial = harness.study.state.trials[0]
    for epoch in trial.epochs[:2]:
        (harness.folder.root / epoch.checkpoint.path).unlink()
    harness.crash_and_reopen()
    assert [c.epoch for c in harness.study.next().restore] == [3]


def test_first_trials_that_all_fail_alike_are_hopeless(harness):
    harness.crash_and_reopen(total=9)
    for number in range(5):
        assert harness.study.common_failure() is None
        harness.study.next()
        harness.study.fail(number, 1, Failure("exception", f"IndexError: at {number}", "…"))
    assert "IndexError" in harness.study.common_failure()
    harness.crash_and_reopen(total=12)
    assert harness.study.common_failure() is None, "the cause may have been mended"


@pytest.mark.parametrize(("value", "code"), [(None, 3), (0.7, 1)])
def test_a_study_that_has_a_result_does_not_end_as_one_without(harness, value, code):
    harness.crash_and_reopen(total=9)
    if value is not None:
        work = harness.begin()
        while harness.report(work, work.last_journaled_epoch + 1, value):
            work = work.model_copy(update={"last_journaled_epoch": work.last_journaled_epoch + 1})
        harness.crash_and_reopen(total=9)
    for _ in range(5):
        work = harness.begin()
        harness.study.fail(work.number, 1, Failure("exception", "IndexError", "…"))
    with pytest.raises(Halt) as caught:
        check_hope(harness.study)
    assert caught.value.exit_code == code


def test_a_study_that_has_made_all_its_trials_is_finished_whatever_came_of_the_last(harness):
    harness.crash_and_reopen(total=6)
    work = harness.begin()
    for epoch in range(1, 5):
        harness.report(work, epoch, 0.7)
    harness.crash_and_reopen(total=6)
    for _ in range(5):
        work = harness.begin()
        harness.study.fail(work.number, 1, Failure("exception", "IndexError", "…"))
    assert harness.study.common_failure() == "IndexError"
    check_hope(harness.study)
    assert harness.study.next() == "finished"


def test_another_cause_or_one_good_trial_is_hope(harness):
    harness.crash_and_reopen(total=9)
    for number in range(5):
        harness.study.next()
        cause = "OSError" if number == 2 else "IndexError"
        harness.study.fail(number, 1, Failure("exception", cause, "…"))
    assert harness.study.common_failure() is None


def test_trials_that_all_diverge_late_are_hopeless(harness):
    harness.crash_and_reopen(total=9)
    for _ in range(5):
        work = harness.begin()
        harness.report(work, 1, 0.9)
        harness.report(work, 2, None)
    assert "not finite" in harness.study.common_failure()
