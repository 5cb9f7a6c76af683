"""What is said to be wrong with a search, and what is not."""

import math

import numpy as np
import pytest

from search.journal.events import WarmStarted
from search.policy.health import findings, importance
from search.policy.merits import learn_merits
from search.report.outlook import health_sentences, sentences
from search.spec.resolve import resolve
from tests.search.policy.searches import hill, pausing, search
from tests.study_harness import StudyHarness, changed

pytestmark = pytest.mark.lengthy


@pytest.fixture
def tables(tables):
    return pausing(tables, "auto", trials=60)


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


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(("end", "sign"), [("low", -1), ("high", 1)])
def test_the_best_at_the_end_of_whole_numbers(tmp_path, tables, log, end, sign):
    """A whole number owns half a step on either side, which is far on a short logarithmic axis."""
    tables["space"] = {
        "learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
        "num_layers": {"low": 2, "high": 6, "log": log},
    }
    tables["fixed"].pop("num_layers", None)
    tables["search"]["trials"] = 40
    peak = hill(noise=0.001)
    said = found(
        tmp_path, tables, lambda p, n, e: peak(p, n, e) + sign * 0.02 * math.log(p["num_layers"])
    )
    assert said["edge", "num_layers"].end == end


def test_no_edge_is_named_where_chance_explains_the_best(tmp_path, tables):
    """In seven of forty such searches the best lay at an end."""
    tables["search"]["trials"] = 40
    for seed in range(8):
        tables["search"]["seed"] = 100 + seed
        luck = np.random.default_rng(seed).normal(0.8, 0.01, 40)
        said = found(tmp_path / str(seed), tables, lambda p, n, e, of=luck: of[n] - 0.1 / e)
        assert not any(kind == "edge" for kind, _ in said)


def test_no_edge_is_named_where_nothing_is_lost_further_inwards(tmp_path, tables):
    """The best five lie at the end, but by a hair."""
    tables["search"]["sampler"] = "random"
    tables["space"] = {"learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}}

    def level(from_share: float):
        def value(params, number, epoch):
            place = (math.log10(params["learning_rate"]) + 3.0) / 2.0
            return 0.8 - max(0.0, from_share - place) + 1e-4 * place - 0.1 / epoch

        return value

    assert ("edge", "learning_rate") not in found(tmp_path / "level", tables, level(0.6))
    assert ("edge", "learning_rate") in found(tmp_path / "rising", tables, level(1.0))


def test_no_edge_is_named_of_what_has_little_part(tmp_path, tables):
    tables["search"]["sampler"] = "random"
    tables["space"] = {"cell": ["gru", "lstm", "rnn"], "num_layers": {"low": 2, "high": 6}}
    tables["fixed"].pop("num_layers", None)

    def value(part: float):
        def of(params, number, epoch):
            layers = (params["num_layers"] - 2) / 4
            return 0.3 * (params["cell"] == "gru") + part * layers - 0.1 / epoch

        return of

    assert ("edge", "num_layers") not in found(tmp_path / "little", tables, value(0.08))
    assert ("edge", "num_layers") in found(tmp_path / "more", tables, value(0.3))


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


def test_values_that_were_never_tried_are_not_said_to_have_no_effect(tmp_path, tables):
    tables["space"]["dropout"] = [0.0, 0.1, 0.2, 0.3, 0.4]
    tables["search"]["sampler"] = "random"
    seen = {0.0, 0.4}

    def value(params, number, epoch):
        return None if params["dropout"] not in seen else hill(noise=0.001)(params, number, epoch)

    said = found(tmp_path / "ends", tables, value)
    assert ("no_effect", "dropout") not in said
    tables["space"]["dropout"] = [0.0, 0.4]
    assert ("no_effect", "dropout") in found(tmp_path / "two", tables, value)


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


def test_the_first_is_still_the_best(tmp_path, tables):
    tables["first"] = [{"learning_rate": 0.01, "dropout": 0.1, "hidden_size": 4}]
    peak = hill(noise=0.001)
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=40)
    search(harness, lambda p, n, e: peak(p, n, e) + (0.05 if n == 0 else 0.0))
    assert harness.study.state.outlook.leader == 0
    assert any("nothing better than the first" in said for said in sentences(harness.study.state))


def test_a_study_that_began_with_the_best_of_another_has_not_gained_nothing(tmp_path, tables):
    tables["first"] = [{"learning_rate": 0.01, "dropout": 0.1, "hidden_size": 4}]
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=60)
    search(harness, hill(noise=0.01))
    state = harness.study.state
    merits = learn_merits(state)
    assert merits is not None
    assert any(finding.kind == "no_gain" for finding in findings(state, merits))
    state.former.append(WarmStarted(study="other", trials=[]))
    assert not any(finding.kind == "no_gain" for finding in findings(state, merits))


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


def test_only_the_present_stopping_is_mild(tmp_path, tables):
    tables["search"]["sampler"] = "random"
    tables["stopping"] |= {"grace_epochs": 4, "losers": "stop"}
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=40)
    search(harness, hill(noise=0.01))
    tables["stopping"] |= {"grace_epochs": 1}
    harness.crash_and_reopen(total=80, change=changed(resolve(tables, "x")))
    search(harness, hill(noise=0.01))
    state = harness.study.state
    merits = learn_merits(state)
    assert merits is not None
    assert sum(trial.epoch > 1 for trial in state.trials) > 0.6 * len(state.trials)
    assert not any(finding.kind == "mild" for finding in findings(state, merits))


def late(end: float):
    """The better at first, the worse at the end."""

    def value(params, number, epoch) -> float:
        good = params["dropout"]
        return 0.5 + good / 10 if epoch < 4 else end - good

    return value


def test_audits_that_beat_the_winner(tmp_path, tables):
    tables["stopping"]["audit"] = 0.5
    tables["search"]["sampler"] = "random"
    said = found(tmp_path, tables, late(0.9))
    assert said["harsh", None].end == "audited"


def test_a_first_rung_that_says_the_opposite_of_the_end(tmp_path, tables):
    tables["search"]["sampler"] = "random"
    tables["stopping"]["reduction_factor"] = 2
    said = found(tmp_path / "late", tables, late(1.5))
    assert said["harsh", None].value == pytest.approx(-1.0)
    assert said["harsh", None].other >= 12
    even = found(tmp_path / "even", tables, lambda p, n, e: late(1.5)(p, n, 1) - 0.1 / e)
    assert ("harsh", None) not in even
