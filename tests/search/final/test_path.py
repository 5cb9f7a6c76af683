"""The way from the baseline to the winner, step by step."""

import pytest

from search.final.candidates import Candidate
from search.final.path import Step, importances, path_rows, steps_to
from search.spec.objective import Objective
from tests.search.policy.searches import hill, search
from tests.study_harness import StudyHarness


def candidate(**params) -> Candidate:
    return Candidate(trial=None, params=params)


@pytest.fixture
def state(tmp_path, tables):
    tables["space"] = {"cell": ["lstm", "gru"], "dropout": {"low": 0.0, "high": 0.5}}
    return StudyHarness(tmp_path, tables).study.state


def test_each_step_takes_one_value_of_the_winner(state):
    steps = steps_to(
        state.spec,
        None,
        candidate(cell="lstm", dropout=0.1, hidden_size=8),
        candidate(cell="gru", dropout=0.3, hidden_size=8, layer_norm=True),
    )
    assert [step.changed for step in steps] == [
        {"cell": "gru"},
        {"dropout": 0.3},
        {"layer_norm": True},
    ]
    assert steps[0].params == {
        "cell": "gru",
        "dropout": 0.1,
        "hidden_size": 8,
        "layer_norm": False,
    }
    assert steps[-1].params["dropout"] == 0.3 and steps[-1].params["layer_norm"] is True


def test_what_has_an_effect_only_later_changes_with_what_gives_it_one(state):
    here = candidate(num_layers=2, embedding="scratch", embedding_dim=8)
    there = candidate(
        num_layers=2, embedding="glove", embedding_dim=64, locked_dropout=True, dropout=0.2
    )
    changed = [step.changed for step in steps_to(state.spec, None, here, there)]
    # Steps that are locked must first be dropped, between layers; GloVe brings its own width.
    assert changed == [{"dropout": 0.2}, {"embedding": "glove"}, {"locked_dropout": True}]
    changed = [step.changed for step in steps_to(state.spec, None, there, here)]
    assert changed == [{"dropout": 0.0}, {"embedding": "scratch"}, {"embedding_dim": 8}]
    locked = candidate(locked_dropout=True, input_dropout=0.2)
    changed = [step.changed for step in steps_to(state.spec, None, candidate(), locked)]
    assert changed == [{"input_dropout": 0.2}, {"locked_dropout": True}]


def test_no_difference_is_no_step(state):
    assert (
        steps_to(state.spec, None, candidate(cell="gru"), candidate(dropout=0.0, cell="gru")) == []
    )


def test_the_most_important_comes_first(tmp_path, tables):
    tables["space"] = {
        "dropout": {"low": 0.0, "high": 0.5},
        "learning_rate": {"low": 1e-4, "high": 0.1, "log": True},
    }
    tables["search"] = {"trials": 30, "sampler": "random", "seed": 0}
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=30)
    search(harness, hill())
    steps = steps_to(
        harness.study.state.spec,
        importances(harness.study.state),
        candidate(dropout=0.1, learning_rate=1e-4, cell="lstm"),
        candidate(dropout=0.2, learning_rate=1e-2, cell="gru"),
    )
    assert [list(step.changed) for step in steps] == [["learning_rate"], ["dropout"], ["cell"]]


STEPS = [Step({"cell": "gru"}, {}), Step({"dropout": 0.3}, {})]


def test_gains_are_signed_so_that_more_is_better_and_carry_both_errors():
    values = [[1.0, 1.2], [0.8, 0.8], [0.7, 0.9]]
    first, second = path_rows(Objective("val/loss", "min"), STEPS, values)
    assert first["changed"] == {"cell": "gru"} and first["validation"] == [0.8, 0.8]
    assert first["gain"]["mean"] == pytest.approx(0.3)
    assert first["gain"]["se"] == pytest.approx(0.1)  # half of 0.2, and of nothing
    assert second["gain"]["mean"] == pytest.approx(0.0)
    rows = path_rows(Objective("val/accuracy", "max"), STEPS, values)
    assert rows[0]["gain"]["mean"] == pytest.approx(-0.3)


def test_a_step_that_came_to_nothing_has_no_gain():
    rows = path_rows(Objective("val/accuracy", "max"), STEPS, [[0.5, 0.5], [], [0.7, 0.9]])
    assert [row["gain"] for row in rows] == [None, None]
