"""What is said to be wrong with a search, and what is not."""

import pytest

from search.policy.health import findings, importance
from search.policy.merits import learn_merits
from search.report.outlook import health_sentences
from tests.search.policy.searches import hill, search
from tests.study_harness import StudyHarness


@pytest.fixture
def tables(tables):
    tables["stopping"] |= {"losers": "pause", "max_epochs": 4, "reduction_factor": 3}
    tables["search"] |= {"trials": 60, "sampler": "auto"}
    return tables


def found(tmp_path, tables, value) -> dict:
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=tables["search"]["trials"])
    search(harness, value)
    state = harness.study.state
    merits = learn_merits(state)
    assert merits is not None
    said = findings(state, merits)
    assert len(health_sentences(state)) == len(state.outlook.findings)
    return {(finding.kind, finding.name): finding for finding in said}


def test_a_healthy_search(tmp_path, tables):
    tables["space"].pop("hidden_size")
    tables["space"].pop("dropout")
    assert found(tmp_path, tables, hill(noise=0.001)) == {}


def test_the_best_at_the_end_of_a_range(tmp_path, tables):
    tables["space"]["learning_rate"] = {"low": 1e-5, "high": 1e-3, "log": True}
    said = found(tmp_path, tables, hill())
    edge = said["edge", "learning_rate"]
    assert (edge.end, edge.value) == ("high", 1e-3)


def test_an_end_beyond_which_there_is_nothing_is_no_fault(tmp_path, tables):
    """Dropout cannot be less than 0."""
    tables["search"]["sampler"] = "random"
    tables["space"]["dropout"]["step"] = 0.1
    said = found(tmp_path, tables, lambda params, n, e: 0.9 - params["dropout"] - 0.1 / e)
    assert ("edge", "dropout") not in said


def test_a_hyperparameter_without_effect(tmp_path, tables):
    said = found(tmp_path, tables, hill(noise=0.001))
    assert ("no_effect", "dropout") in said
    assert ("no_effect", "learning_rate") not in said


def test_the_part_that_each_has(tmp_path, tables):
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=60)
    search(harness, hill(noise=0.001))
    merits = learn_merits(harness.study.state)
    assert merits is not None
    parts = importance(harness.study.state, merits)
    assert parts["learning_rate"] > 0.9 > 0.1 > parts["dropout"]
    assert set(parts) == set(tables["space"])


def test_no_gain_over_the_first(tmp_path, tables):
    tables["first"] = [{"learning_rate": 0.01, "dropout": 0.1, "hidden_size": 4}]
    said = found(tmp_path, tables, hill(noise=0.01))
    assert ("no_gain", None) in said


def test_a_gain_over_a_bad_first(tmp_path, tables):
    tables["first"] = [{"learning_rate": 0.1, "dropout": 0.1, "hidden_size": 4}]
    said = found(tmp_path, tables, hill(noise=0.001))
    assert ("no_gain", None) not in said


def test_trials_that_luck_alone_tells_apart(tmp_path, tables):
    tables["search"] |= {"sampler": "random", "trials": 80}
    tables["stopping"]["grace_epochs"] = 4
    said = found(tmp_path, tables, hill(noise=0.05, width=50.0))
    assert ("alike", None) in said


def test_halving_that_lets_nearly_all_pass(tmp_path, tables):
    """Each is better than those before, so that none is below the best share of them."""
    tables["search"]["sampler"] = "random"
    tables["stopping"]["losers"] = "stop"
    said = found(tmp_path, tables, lambda params, n, e: 0.5 + n / 1000 + params["dropout"] / 1e3)
    assert said["mild", None].value > 0.6


def test_audits_that_beat_the_winner(tmp_path, tables):
    tables["stopping"]["audit"] = 0.5
    tables["search"]["sampler"] = "random"

    def late(params, number, epoch):
        """The better at first, the worse at the end."""
        good = params["dropout"]
        return 0.5 + good / 10 if epoch < 4 else 0.9 - good

    said = found(tmp_path, tables, late)
    assert said["harsh", None].end == "audited"
