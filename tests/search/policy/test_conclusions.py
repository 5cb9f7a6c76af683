"""Searches that end as they have nothing left to find, and that go on when more is asked for."""

import shutil

import pytest

from search.journal.events import SearchConcluded
from search.journal.load import load_state
from search.report.outlook import outlook_sentences
from tests.search.policy.searches import hill, pausing, search, study


@pytest.fixture
def tables(tables):
    return pausing(tables, "random")


def test_a_search_ends_that_has_nothing_left_to_find(tmp_path, tables):
    tables["stopping"]["when_gain_below"] = 0.01
    tables["search"]["sampler"] = "auto"
    harness = study(tmp_path, tables, 400)
    search(harness, hill())
    state = harness.study.state
    assert state.finished and 8 <= len(state.trials) < 200
    assert state.total == len(state.trials) and "surely gain less than 0.01" in state.concluded
    assert not state.trials.paused
    [line] = [event for event in harness.events() if isinstance(event, SearchConcluded)]
    assert line.total == state.total
    again = load_state(harness.folder)
    assert (again.total, again.concluded) == (state.total, state.concluded)
    assert "the search was ended" in " ".join(outlook_sentences(again))


def test_a_search_of_few_trials_concludes_nothing(tmp_path, tables):
    """However little is asked for: advice waits for as many."""
    tables["stopping"]["when_gain_below"] = 1e9
    harness = study(tmp_path, tables, 40)
    search(harness, hill())
    assert len(harness.study.state.trials) == 15 and harness.study.state.finished


def test_a_conclusion_that_was_not_written_any_more_is_drawn_at_the_resume(tmp_path, tables):
    tables["stopping"]["when_gain_below"] = 0.01
    tables["search"]["sampler"] = "auto"
    harness = study(tmp_path, tables, 400)
    search(harness, hill())
    trials = len(harness.study.state.trials)
    path = harness.folder.journal
    lines = path.read_bytes().splitlines(keepends=True)
    [place] = [i for i, line in enumerate(lines) if b'"event":"concluded"' in line]
    path.write_bytes(b"".join(lines[:place]))
    shutil.rmtree(harness.folder.snapshot, ignore_errors=True)
    harness.crash_and_reopen(total=400)
    search(harness, hill())
    assert len(harness.study.state.trials) == trials and harness.study.state.concluded


def test_a_search_that_was_ended_goes_on_when_more_is_asked_for(tmp_path, tables):
    tables["stopping"]["when_gain_below"] = 10.0
    harness = study(tmp_path, tables, 100)
    search(harness, hill())
    ended = len(harness.study.state.trials)
    assert ended < 30
    tables["stopping"]["when_gain_below"] = 0.0
    harness.crash_and_reopen(total=ended + 6)
    assert harness.study.state.concluded is None
    harness.study.state.spec.stopping.__dict__["when_gain_below"] = 0.0
    search(harness, hill())
    assert len(harness.study.state.trials) == ended + 6


def test_whoever_asks_for_more_gets_one_trial_at_least(tmp_path, tables):
    """It is looked at anew before the search concludes again."""
    tables["stopping"]["when_gain_below"] = 10.0
    harness = study(tmp_path, tables, 100)
    search(harness, hill())
    ended = len(harness.study.state.trials)
    harness.crash_and_reopen(total=100)
    search(harness, hill())
    assert ended < len(harness.study.state.trials) < 100


def test_configurations_that_somebody_wants_tried_are_tried_first(tmp_path, tables):
    tables["stopping"]["when_gain_below"] = 10.0
    tables["first"] = [{"dropout": 0.01 * number} for number in range(20)]
    harness = study(tmp_path, tables, 40)
    search(harness, hill())
    assert harness.study.state.concluded and len(harness.study.state.trials) == 20
