"""Intervals over seeds and texts, and which configurations stand for a study's end."""

import numpy as np
import pytest

from search.errors import NoFiniteResult, SpecError
from search.final.candidates import baseline_of, best_candidates, contest, retraining
from search.final.stages import check_whole
from search.final.statistics import compare, verdict
from search.journal.events import OutlookTaken
from search.journal.folder import StudyDir
from search.policy.failures import Failure
from search.spec.resolve import resolve
from tests.search.policy.searches import hill, search
from tests.study_harness import StudyHarness


def of_values(values):
    return lambda rows: float(values[rows].mean())


def seeds(rng, mean: float, texts: int = 2000, count: int = 5, spread: float = 0.0):
    """Seeds of a model that is right with some chance; texts are alike hard to all of them."""
    hard = rng.random(texts)
    return [
        of_values((hard < mean + rng.normal(0, spread)).astype(float)) for _ in range(count)
    ], hard


def test_a_clear_gain_is_seen_and_a_small_one_is_not():
    rng = np.random.default_rng(0)
    hard = rng.random(2500)

    def model(chance):
        return [of_values((hard < chance + rng.normal(0, 0.003)).astype(float)) for _ in range(5)]

    ours, _, gain = compare(model(0.88), model(0.86), 2500, 1.0, 1000)
    assert ours.mean == pytest.approx(0.88, abs=0.01) and len(ours.each) == 5
    assert ours.ci95[0] < ours.mean < ours.ci95[1]
    assert gain.ci95[0] > 0 and gain.p < 0.05
    assert "better than the baseline by 0.0" in verdict(gain, "accuracy")
    _, _, none = compare(model(0.86), model(0.86), 2500, 1.0, 1000)
    assert none.ci95[0] < 0 < none.ci95[1] and none.p > 0.05
    assert "not better than the baseline beyond noise" in verdict(none, "accuracy")
    _, _, worse = compare(model(0.80), model(0.86), 2500, 1.0, 1000)
    assert worse.ci95[1] < 0 and "worse than the baseline" in verdict(worse, "accuracy")


def test_less_may_be_better():
    rng = np.random.default_rng(0)
    small, large = rng.normal(1.0, 0.1, 500), rng.normal(2.0, 0.1, 500)
    _, _, gain = compare([of_values(small)] * 2, [of_values(large)] * 2, 500, -1.0, 200)
    assert gain.mean == pytest.approx(1.0, abs=0.05) and gain.ci95[0] > 0


@pytest.mark.lengthy
def test_the_interval_covers_texts_and_seeds():
    """Of a hundred experiments, some ninety-five intervals hold the truth."""
    rng, held = np.random.default_rng(1), 0
    for _ in range(100):
        hard = rng.random(400)
        model = [of_values((hard < 0.8 + rng.normal(0, 0.02)).astype(float)) for _ in range(6)]
        estimate, _, _ = compare(model, model, 400, 1.0, 200)
        held += estimate.ci95[0] <= 0.8 <= estimate.ci95[1]
    assert 85 <= held <= 100


@pytest.mark.lengthy
@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_few_seeds_claim_no_more_than_they_show(count):
    """Of two hundred comparisons of equals, about one in twenty claims a difference."""
    rng, claimed = np.random.default_rng(2), 0
    for _ in range(200):
        hard = rng.random(4000)
        ours, theirs = [
            [of_values((hard < 0.86 + rng.normal(0, 0.01)).astype(float)) for _ in range(count)]
            for _ in range(2)
        ]
        _, _, gain = compare(ours, theirs, 4000, 1.0, 40)
        assert (gain.p < 0.05) == (gain.ci95[0] > 0 or gain.ci95[1] < 0)
        claimed += gain.p < 0.05
    assert claimed <= 18


def test_few_texts_that_are_all_right_are_not_certain():
    right = [of_values(np.ones(40))] * 2
    ours, _, gain = compare(right, right, 40, 1.0, 50, (0.0, 1.0))
    assert ours.mean == 1.0 == ours.ci95[1] and 0.8 < ours.ci95[0] < 0.96
    assert gain.mean == 0.0 and -0.1 < gain.ci95[0] < 0 < gain.ci95[1] < 0.1
    rng = np.random.default_rng(0)
    apart = [of_values((rng.random(30) < share).astype(float)) for share in (0.1, 0.9)]
    ours, _, gain = compare(apart, right, 30, 1.0, 50, (0.0, 1.0))
    assert ours.ci95 == (0.0, 1.0) and -1.0 <= gain.ci95[0] <= gain.ci95[1] <= 1.0


@pytest.fixture
def finished(tmp_path, tables):
    tables["stopping"] |= {"losers": "pause", "max_epochs": 4, "reduction_factor": 3}
    tables["search"] |= {"trials": 20, "sampler": "random"}
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=20)
    search(harness, hill(noise=0.01))
    return harness.study.state


def test_the_leader_stands_first_then_the_best(finished):
    chosen = best_candidates(finished, 3)
    assert len(chosen) == 3
    assert chosen[0].trial == finished.outlook.leader
    assert finished.best().trial.number in [one.trial for one in chosen[:2]]
    assert chosen[0].params["embedding_dim"] == 8, "what is fixed belongs to it"
    assert baseline_of(finished).trial == 0


def test_a_leader_whose_first_trial_failed_stands_first_by_one_that_did_not(tmp_path, tables):
    """The outlook names the first trial with a value, and ``repeats`` the first of all."""
    tables["space"] = {"hidden_size": [4, 8], "num_layers": {"low": 1, "high": 2}}
    tables["search"] |= {"trials": 12, "sampler": "auto"}
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=12)
    for number in range(12):
        work = harness.begin()
        if number == 0:
            harness.study.fail(0, 1, Failure("exception", "IndexError", "…"))
            continue
        again = harness.study.state.trials[number].repeats == 0
        value = 0.8 if again else 0.9  # the leader by its mean, not by its luck
        for epoch in range(1, 5):
            harness.report(work, epoch, value)
    state = harness.study.state
    leading = next(trial for trial in state.trials if trial.repeats == 0)
    figures = {"mean": 0.95, "se": 0.0, "chance": 1.0, "left": 0}
    gains = dict.fromkeys(("gain", "gain_low", "gain_high"), 0.0)
    state.apply(OutlookTaken(ended=12, leader=leading.number, **figures, **gains))
    chosen = best_candidates(state, 2)
    assert chosen[0].trial == leading.number == baseline_of(state).trial
    assert chosen[0].params == baseline_of(state).params


def test_a_contest_trains_every_candidate_with_every_seed_to_its_end(finished):
    everyone = [*best_candidates(finished, 2), baseline_of(finished)]
    spec = contest(finished.spec, "contest", [one.params for one in everyone], 3)
    assert spec.search.trials == 9 == len(spec.first)
    assert spec.stopping.grace_epochs == spec.stopping.max_epochs == 4
    for number, configuration in enumerate(spec.first):
        wanted = everyone[number % 3].params
        assert {**spec.fixed, **configuration}.items() >= wanted.items()


def test_what_has_no_effect_with_a_configuration_is_left_out(tables, finished):
    baseline = baseline_of(finished)
    glove = baseline.model_copy(update={"params": {**baseline.params, "embedding": "glove"}})
    spec = retraining(finished.spec, "winner", glove, epochs=2, seeds=3)
    assert "embedding_dim" not in spec.fixed and spec.fixed["embedding"] == "glove"
    assert spec.stopping.max_epochs == 2 and spec.resources.keep == "last"
    assert spec.resources.keep_best >= 3 and spec.search.trials == 3


def test_settings_of_vectors_that_no_finalist_starts_from_are_left_out(tables, tmp_path):
    tables["space"]["embedding"] = ["scratch", "glove"]
    tables["embeddings"] = {"glove": str(tmp_path / "some.txt"), "word2vec_dim": 20}
    tables["space"]["embedding"].append("word2vec")
    spec = resolve(tables, "x")
    scratch = {"embedding": "scratch", "hidden_size": 4}
    default = resolve(tables | {"embeddings": {}}, "x").inputs["embeddings"]
    assert contest(spec, "contest", [scratch] * 2, 2).inputs["embeddings"] == default
    both = contest(spec, "contest", [scratch, scratch | {"embedding": "word2vec"}], 2)
    assert both.inputs["embeddings"] == default | {"word2vec_dim": 20}


def test_a_seed_that_was_not_trained_to_its_end_is_not_judged(harness, tmp_path):
    study = harness.study
    work = study.next()
    for epoch in range(1, 5):
        harness.report(work, epoch, 0.5 + epoch / 10)
    study.next()  # which ends it
    whole, folder = study.state.trials[:1], StudyDir(tmp_path / "winner")
    check_whole(folder, whole, 4)
    with pytest.raises(NoFiniteResult, match=r"seed 1 of .*the test part stays closed"):
        check_whole(folder, whole, 5)


def test_a_baseline_is_checked_as_other_configurations_are(tables):
    with pytest.raises(SpecError, match=r"baseline.*hiden_size|did you mean 'hidden_size'"):
        resolve(tables | {"baseline": {"hiden_size": 3}}, "x")
    with pytest.raises(SpecError, match=r"baseline\.hidden_size = 0"):
        resolve(tables | {"baseline": {"hidden_size": 0}}, "x")
