"""Losers that are trained to their ends all the same, and what they say of other rules."""

import numpy as np
import pytest

from search.errors import SpecError
from search.journal.load import load_state
from search.journal.state import replay
from search.policy.audits import audit
from search.policy.pausing import is_promising
from search.policy.replays import replay_stopping
from search.policy.samplers.optuna_adapter import OptunaSampler
from search.policy.samplers.registry import SAMPLERS, TrialChooser
from search.report.content import Subject, Table
from search.report.early_stopping import audit_section, replay_rows
from search.spec.overrides import other_stopping
from tests.search.policy.searches import hill, search
from tests.study_harness import LOST, StudyHarness
from trainables.attempts.messages import Assignment


@pytest.fixture
def tables(tables):
    tables["stopping"] |= {"losers": "pause", "max_epochs": 4, "reduction_factor": 3, "audit": 1.0}
    tables["search"] |= {"trials": 12, "sampler": "random"}
    return tables


@pytest.fixture
def harness(tmp_path, tables) -> StudyHarness:
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=12)
    return harness


def finish(harness: StudyHarness, value) -> None:
    while isinstance(work := harness.study.next(), Assignment):
        epoch = harness.study.state.trials[work.number].epoch + 1
        while harness.report(work, epoch, value(work.number, epoch)):
            epoch += 1


def rising(number: int, epoch: int) -> float:
    """Trial 5 starts worst and ends best; the others keep their order."""
    return 0.95 if number == 5 and epoch > 2 else 0.1 if number == 5 else 0.5 + number / 100


def test_every_loser_is_trained_to_its_end_and_stands_in_no_later_rung(harness):
    finish(harness, rising)
    state = harness.study.state
    assert all(trial.state == "completed" and trial.epoch == 4 for trial in state.trials)
    assert state.trials[0].audited == 1, "nobody passes before three have come"
    assert len(state.rungs.at(1)) == 12
    assert len(state.rungs.at(3)) == sum(trial.audited != 1 for trial in state.trials)
    lines = [event for event in harness.events() if event.event == "epoch" and event.audited]
    assert [line.trial for line in lines] == [t.number for t in state.trials if t.audited]


def test_replay_and_snapshot_know_what_was_audited(harness):
    finish(harness, rising)
    live = [trial.audited for trial in harness.study.state.trials]
    harness.snapshot.take(harness.study.state)
    assert [t.audited for t in load_state(harness.folder).trials] == live
    for path in harness.folder.snapshot.iterdir():
        path.unlink()
    again = load_state(harness.folder)
    assert [t.audited for t in again.trials] == live
    assert again.rungs == harness.study.state.rungs


@pytest.mark.lengthy
def test_the_share_of_the_losers_is_drawn_by_lot(tmp_path, tables):
    tables["stopping"]["audit"] = 0.3
    tables["search"]["trials"] = 200
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=200)
    finish(harness, lambda number, epoch: 0.5 - number / 1000)
    audited = sum(trial.audited == 1 for trial in harness.study.state.trials)
    assert 35 <= audited <= 85


def test_an_audited_winner_is_told_with_its_chance(harness):
    finish(harness, rising)
    found = audit(harness.study.state)
    assert found is not None
    assert found.better == [5]
    assert found.interval[0] < 1 / len(found.audited) < found.interval[1]
    assert found.seconds_spent == sum(
        4 - t.audited for t in harness.study.state.trials if t.audited and t.number in found.audited
    )


def test_one_that_would_pass_by_now_is_no_loser(harness):
    """The first two pass nowhere, for too few have come: in the end they are the best."""
    finish(harness, lambda number, epoch: 0.9 - number / 100)
    found = audit(harness.study.state)
    assert harness.study.state.trials[0].audited == 1
    assert found is not None and 0 not in found.audited


def test_a_sampler_sees_an_audited_trial_where_it_lost(harness):
    finish(harness, rising)
    sampler = SAMPLERS["auto"]()
    assert isinstance(sampler, OptunaSampler)
    told = sampler.history(harness.study.state).trials()
    loser = told[5]
    assert loser.state.name == "PRUNED"
    assert loser.intermediate_values == {1: -0.1}


def test_another_rule_is_replayed_with_what_is_known(harness):
    finish(harness, rising)
    state = harness.study.state
    mild = replay_stopping(state, other_stopping(state.spec.stopping, ["stopping.grace_epochs=3"]))
    assert 5 in mild.completed, "its third epoch shows what it is"
    assert mild.unknown == []
    assert mild.best(state) == (5, 0.95)
    stop = replay_stopping(state, other_stopping(state.spec.stopping, ["stopping.losers=stop"]))
    assert stop.epochs[5] == 1
    assert sum(stop.epochs.values()) == 45, "each of the others is better than those before it"
    harsh = replay_stopping(state, other_stopping(state.spec.stopping, ["stopping.audit=0"]))
    assert sum(harsh.epochs.values()) < sum(mild.epochs.values())


def test_what_was_stopped_is_unknown_beyond(tmp_path, tables):
    tables["stopping"] |= {"audit": 0.0, "losers": "stop"}
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=12)
    finish(harness, rising)
    state = harness.study.state
    replayed = replay_stopping(
        state, other_stopping(state.spec.stopping, ["stopping.grace_epochs=3"])
    )
    stopped = [trial.number for trial in state.trials if trial.epoch < 3]
    assert stopped and replayed.unknown == stopped
    was, would = replay_rows(state, replayed.stopping)
    assert was["epochs"] == sum(trial.epoch for trial in state.trials)
    assert would["unknown"] == len(stopped)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("search.trials=3", "only stopping"),
        ("stopping.grace_epoch=3", "did you mean 'grace_epochs'"),
        ("stopping.max_epochs=9", "is not known"),
        ("stopping.audit=0.5", "cannot be replayed"),
        ("stopping.audit=1.0", "cannot be replayed"),  # the study's own, too
        ("stopping.grace_epochs=9", "exceeds max_epochs"),
    ],
)
def test_what_cannot_be_replayed_is_refused(harness, setting, says):
    with pytest.raises(SpecError, match=says):
        other_stopping(harness.study.state.spec.stopping, [setting])


def test_where_losers_are_stopped_for_good_one_that_would_have_won_is_counted(tmp_path, tables):
    tables["stopping"] |= {"losers": "stop"}
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=30)

    def value(number: int, epoch: int) -> float:
        """Trial 6 loses among the first, and would not among all."""
        if number == 6:
            return 0.99 if epoch > 2 else 0.605
        return 0.6 + number / 100 if number < 6 else 0.4

    finish(harness, value)
    state = harness.study.state
    assert state.trials[6].audited == 1 and is_promising(state, 1, -0.605)
    found = audit(state)
    assert found is not None and found.better == [6]
    assert set(found.audited) == {t.number for t in state.trials if t.audited}


def test_an_audited_trial_that_failed_tells_nothing(tmp_path, tables):
    harness = StudyHarness(tmp_path, tables, max_failures=0)
    harness.crash_and_reopen(total=12)
    work = harness.begin()
    harness.report(work, 1, 0.5)
    assert harness.study.state.trials[0].audited == 1
    harness.study.fail(work.number, work.attempt, LOST)
    assert harness.study.state.trials[0].state == "failed"
    assert audit(harness.study.state) is None


def test_a_sampler_sees_one_that_failed_later_where_it_lost_too(tmp_path, tables):
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=12)
    work = harness.begin()
    assert harness.report(work, 1, 0.5) and not harness.report(work, 2, None)
    assert harness.study.state.trials[0].state == "failed"
    sampler = SAMPLERS["auto"]()
    assert isinstance(sampler, OptunaSampler)
    (told,) = sampler.history(harness.study.state).trials()
    assert (told.state.name, told.intermediate_values) == ("PRUNED", {1: -0.5})


def test_where_nothing_else_was_tried_nobody_has_beaten_the_winner(harness):
    first, second = harness.begin(), harness.begin()
    for work in (first, second):
        for epoch in range(1, 5):
            harness.report(work, epoch, 0.5)
    assert [trial.state for trial in harness.study.state.trials] == ["completed"] * 2
    assert audit(harness.study.state) is None


@pytest.mark.lengthy
@pytest.mark.parametrize("seed", [1, 2])
def test_a_replayed_search_goes_on_as_the_live_one_would(tmp_path, tables, seed):
    """With several audited trials at a time, whose epochs take as long as they like."""
    tables["search"] = {"trials": 24, "sampler": "auto", "seed": seed}
    tables["stopping"]["max_epochs"] = 27
    harness, rng = StudyHarness(tmp_path, tables), np.random.default_rng(seed)
    harness.crash_and_reopen(total=24)
    state, works, compared = harness.study.state, list[Assignment](), 0
    while True:
        while len(works) < 3 and isinstance(work := harness.study.next(), Assignment):
            works.append(work)
            if state.trials[work.number].epoch == 0:
                events = harness.events()
                created = next(
                    place
                    for place, event in enumerate(events)
                    if event.event == "trial" and event.trial == work.number
                )
                again = TrialChooser().choose(replay(events[:created]))
                assert again.params == state.trials[work.number].params, work.number
                compared += 1
        if not works:
            break
        work = works[int(rng.integers(len(works)))]
        trial = state.trials[work.number]
        value = hill(0.01)(trial.params, work.number, trial.epoch + 1)
        seconds = float(rng.lognormal(0.0, 1.0))
        if not harness.report(work, trial.epoch + 1, value, seconds=seconds):
            works.remove(work)
    assert compared == 24


def test_the_report_has_the_chance_and_other_rules(harness):
    finish(harness, rising)
    section = audit_section(Subject(harness.folder, harness.study.state, running=False))
    assert section is not None
    assert "1 of them beats the winner" in section.parts[0].text
    table = section.parts[-1]
    assert isinstance(table, Table)
    assert {row[:2] for row in table.rows} == {(g, r) for g in (1, 2) for r in (2, 3, 4)}


def test_of_a_study_that_is_to_make_more_trials_nobody_is_the_last(tmp_path, tables):
    """As it was set, it is what was done: nobody goes on because no others are to come."""
    tables["stopping"] |= {"audit": 0.0, "max_epochs": 9, "reduction_factor": 3}
    tables["search"] |= {"trials": 30, "sampler": "random"}
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=30)
    search(harness, hill(noise=0.01), until=7)
    state = harness.study.state
    found = replay_stopping(state, state.spec.stopping)
    assert found.unknown == [] and len(state.trials) == 8
    assert list(found.epochs.values()) == [trial.epoch for trial in state.trials[:7]]
