"""Trials that wait at a rung: who goes on, who is given up, and how a study of them ends."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.journal.events import EpochDone, TrialEnded
from search.journal.load import load_state
from search.journal.state import replay
from search.policy.halving import has_last_room, has_room, is_among_best
from search.report.rows import count_states
from search.spec.resolve import resolve
from tests.study_harness import StudyHarness, changed
from trainables.attempts.messages import Assignment


@pytest.fixture
def tables(tables):
    tables["stopping"] |= {"losers": "pause", "max_epochs": 4, "reduction_factor": 3}
    tables["search"] |= {"trials": 12, "sampler": "random"}
    return tables


@pytest.fixture
def harness(tmp_path, tables) -> StudyHarness:
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=12)
    return harness


def first_epochs(harness: StudyHarness, values: list[float]) -> list[bool]:
    """Start a trial for each value and report it; whether each goes on."""
    return [harness.report(harness.begin(), 1, value) for value in values]


def finish(harness: StudyHarness, value) -> None:
    """Train whatever is handed out, one after the other, until all have ended."""
    while isinstance(work := harness.study.next(), Assignment):
        epoch = harness.study.state.trials[work.number].epoch + 1
        while harness.report(work, epoch, value(work.number, epoch)):
            epoch += 1
    assert work == "finished"


def test_nobody_goes_on_for_being_first_and_no_more_than_the_best_share():
    assert [has_room(count, 0, 3) for count in (1, 2, 3)] == [False, False, True]
    assert [has_room(count, 1, 3) for count in (3, 5, 6)] == [False, False, True]


def test_when_no_others_are_to_come_the_best_goes_on_even_alone():
    assert has_last_room(1, 0, 3) and not has_last_room(1, 1, 3)
    assert has_last_room(4, 1, 3) and not has_last_room(4, 2, 3)
    assert is_among_best(0, 1, 3)
    assert is_among_best(1, 4, 3)
    assert not is_among_best(2, 4, 3)


@pytest.mark.lengthy
@given(st.permutations(range(12)), st.integers(2, 4))
@settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whoever_goes_on_is_the_best_that_waits_and_no_more_do_than_the_best_share(
    tmp_path_factory, tables, values, factor
):
    tables["stopping"]["reduction_factor"] = factor
    harness = StudyHarness(tmp_path_factory.mktemp("study"), tables)
    harness.crash_and_reopen(total=100)
    state, waiting, went_on, came = harness.study.state, list[int](), 0, 0
    while came < len(values):
        work = harness.begin()
        if work.attempt > 1:  # one that waited
            assert values[work.number] == min(waiting)
            waiting.remove(values[work.number])
            went_on += 1
        elif harness.report(work, 1, 1 - values[work.number] / 100):
            assert all(values[work.number] < other for other in waiting)
            went_on, came = went_on + 1, came + 1
        else:
            waiting, came = [*waiting, values[work.number]], came + 1
        assert went_on == state.rungs.went_on[1] <= came / factor
        assert replay(harness.events()).rungs == state.rungs == load_state(harness.folder).rungs


def test_losers_wait_and_the_best_of_them_goes_on_first(harness):
    assert first_epochs(harness, [0.6, 0.5]) == [False, False]
    state = harness.study.state
    assert state.trials.paused == {0, 1}
    assert [t.reason for t in state.trials] == [None, None], "they have not ended"
    why = [e.reason for e in harness.events() if isinstance(e, EpochDone)]
    assert why == [f"{word} yet among the best 1/3 at epoch 1" for word in ("no room", "not")]
    assert first_epochs(harness, [0.4]) == [False]
    thawed = harness.begin()
    assert (thawed.number, thawed.attempt, thawed.last_journaled_epoch) == (0, 2, 1)
    assert thawed.restore, "from its last checkpoint"
    assert state.trials.paused == {1, 2} and state.trials.running == {0}
    assert harness.begin().number == 3, "nobody else may go on: a new one"


@pytest.mark.parametrize("total", [12, 100])
def test_of_equals_no_more_than_the_best_share_goes_on(harness, total):
    """As where nothing is learnt: else all would be trained to their ends."""
    harness.crash_and_reopen(total=total)
    works = [harness.begin() for _ in range(12)]
    passed = [harness.report(work, 1, 0.5) for work in works]
    assert not any(passed), "each that comes is the last of its equals"
    for number in range(4):
        assert harness.begin().number == number, "those that came first"
    work = harness.study.next()
    assert work == "wait" if total == 12 else work.number == 12


@pytest.mark.lengthy
@given(st.permutations(range(14)), st.integers(1, 14))
@settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_of_a_whole_study_no_more_than_the_best_share_goes_on_and_one_to_the_end(
    tmp_path_factory, tables, values, workers
):
    """Also where all trials are made at once, and each that comes is better than those before."""
    tables["stopping"]["max_epochs"] = 12
    harness = StudyHarness(tmp_path_factory.mktemp("study"), tables)
    harness.crash_and_reopen(total=14)
    state, busy = harness.study.state, list[Assignment]()
    while not state.finished:
        while len(busy) < workers and isinstance(work := harness.study.next(), Assignment):
            busy.append(work)
        if busy:
            work = busy.pop(0)
            epoch = state.trials[work.number].epoch + 1
            if harness.report(work, epoch, values[work.number] + epoch / 100):
                busy.append(work)
    assert all(state.rungs.went_on[e] == -(-len(state.rungs.at(e)) // 3) for e in (1, 3, 9))
    assert state.trials[values.index(13)].state == "completed", "the best of all"
    assert replay(harness.events()).rungs == state.rungs == load_state(harness.folder).rungs


def test_whoever_diverges_later_leaves_its_place_to_others(tmp_path, tables):
    """High learning rates lead early, and diverge then."""
    tables["stopping"]["max_epochs"] = 9
    harness = StudyHarness(tmp_path / "diverging", tables)
    harness.crash_and_reopen(total=9)
    finish(harness, lambda number, epoch: None if number < 3 < 2 + epoch else 0.9 - number / 10)
    state = harness.study.state
    assert state.trials.ends["failed"] == 3
    assert [t.number for t in state.trials if t.state == "completed"] == [3]
    assert len(state.rungs.at(1)) == 6 and state.rungs.went_on == {1: 2, 3: 1}
    assert replay(harness.events()).rungs == state.rungs == load_state(harness.folder).rungs


def test_one_that_is_among_the_best_goes_on_without_a_pause(harness):
    first_epochs(harness, [0.5, 0.4])
    work = harness.begin()
    assert harness.report(work, 1, 0.9)
    assert harness.report(work, 2, 0.9), "no rung there"
    assert harness.study.state.trials[2].attempts == 1


def test_a_sampler_that_gets_better_does_not_let_all_through(harness):
    harness.crash_and_reopen(total=100)
    passed = first_epochs(harness, [index / 100 for index in range(60)])
    assert passed == [index % 3 == 2 for index in range(60)], "each is the best so far"
    stalls = first_epochs(harness, [0.55, 0.5, 0.58])
    assert stalls == [False] * 3
    assert harness.begin().number == 58, "the best that waits"


def test_the_furthest_down_are_given_up_when_the_disk_has_no_room(harness, tables, tmp_path):
    tables["stopping"]["keep_paused"] = 2
    harness = StudyHarness(tmp_path / "less", tables)
    harness.crash_and_reopen(total=12)
    first_epochs(harness, [0.3, 0.2, 0.25])
    state = harness.study.state
    assert state.trials.paused == {0, 2}
    assert state.trials[1].state == "pruned"
    assert state.trials[1].reason == "at most 2 stay paused"
    assert harness.kinds()[-2:] == ["epoch", "end"], "in one go"


def test_less_room_in_a_torn_journal_is_made_at_the_next_start(harness, tables, tmp_path):
    tables["stopping"]["keep_paused"] = 2
    harness = StudyHarness(tmp_path / "less", tables)
    harness.crash_and_reopen(total=12)
    first_epochs(harness, [0.3, 0.2, 0.25])
    journal = harness.folder.journal
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]))  # the end of trial 1 is lost
    harness.crash_and_reopen(total=12)
    assert harness.study.state.trials[1].state == "pruned"


def test_a_study_ends_with_each_end_once_and_one_completed(harness):
    finish(harness, lambda number, epoch: 0.5 - 0.01 * number)
    state = harness.study.state
    assert state.finished and not state.trials.paused
    ends = [event.trial for event in harness.events() if isinstance(event, TrialEnded)]
    assert sorted(ends) == list(range(12))
    assert state.trials.ends["completed"] >= 1 and state.trials.ends["pruned"] >= 6
    assert state.best().trial.state == "completed"


def test_a_single_trial_is_trained_to_its_end(tmp_path, tables):
    tables["search"]["trials"] = 1
    harness = StudyHarness(tmp_path / "one", tables)
    harness.crash_and_reopen(total=1)
    finish(harness, lambda number, epoch: 0.5)
    assert harness.study.state.trials[0].epoch == 4


@pytest.mark.parametrize("sampler", ["random", "auto"])
def test_a_killed_study_goes_on_with_the_same_trials(tables, tmp_path, sampler):
    """One trial at a time: a kill after each assignment and each report changes nothing else."""
    tables["search"]["sampler"] = sampler
    harness = StudyHarness(tmp_path / "whole", tables)
    harness.crash_and_reopen(total=12)

    def value(number, epoch):
        return ((number * 7) % 12) / 12 + epoch / 100

    finish(harness, value)
    whole = [t.params for t in harness.study.state.trials]
    ends = [(t.state, t.epoch) for t in harness.study.state.trials]
    killed = StudyHarness(tmp_path / "killed", tables)
    killed.crash_and_reopen(total=12)
    while isinstance(killed.study.next(), Assignment):
        killed.crash_and_reopen(total=12)
        work = killed.begin()
        epoch = killed.study.state.trials[work.number].epoch + 1
        killed.report(work, epoch, value(work.number, epoch))
        killed.crash_and_reopen(total=12)
    assert [t.params for t in killed.study.state.trials] == whole
    assert [(t.state, t.epoch) for t in killed.study.state.trials] == ends


def test_readers_see_the_paused_whether_or_not_a_driver_is_at_work(harness):
    first_epochs(harness, [0.6, 0.5])
    for running in (True, False):
        assert count_states(harness.study.state, running) == {"paused": 2}
    assert replay(harness.events()).trials.paused == {0, 1}


def test_more_trials_are_wanted_of_a_study_that_had_ended(harness):
    """Those given up stay so; the new ones are compared with all."""
    finish(harness, lambda number, epoch: 0.5)
    harness.crash_and_reopen(total=15)
    finish(harness, lambda number, epoch: 0.9)
    state = harness.study.state
    assert state.trials.ended == 15 and state.best().trial.number >= 12


def test_trials_that_diverge_are_no_reason_to_give_up_while_others_wait(harness):
    """They are the first to end, for whoever is not the best is paused."""
    harness.crash_and_reopen(total=100)
    state = harness.study.state
    while state.trials.ended < 6:
        work = harness.begin()
        value = None if work.number % 2 else 0.5 - work.number / 100
        harness.report(work, state.trials[work.number].epoch + 1, value)
    assert state.trials.ends == {"failed": 6} and state.trials.paused
    assert harness.study.common_failure() is None


def test_one_that_waits_where_no_rung_is_any_more_goes_on(harness, tables):
    first_epochs(harness, [0.8, 0.7])
    tables["stopping"] |= {"grace_epochs": 2}
    harness.crash_and_reopen(total=12, change=changed(resolve(tables, "x")))
    assert [harness.begin().number for _ in range(3)] == [0, 1, 2]


def test_whoever_came_further_is_given_up_last(tmp_path, tables):
    tables["stopping"] |= {"keep_paused": 3, "max_epochs": 9}
    harness = StudyHarness(tmp_path / "less", tables)
    harness.crash_and_reopen(total=50)
    first_epochs(harness, [0.9, 0.1])
    work = harness.begin()
    assert harness.report(work, 1, 0.95)
    harness.report(work, 2, 0.95)
    assert not harness.report(work, 3, 0.2), "the first there, and badly"
    first_epochs(harness, [0.5, 0.6, 0.4])
    assert 2 in harness.study.state.trials.paused
