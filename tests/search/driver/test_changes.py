"""A resume that was forced to search otherwise."""

from dataclasses import replace

import pytest

from search.driver.preparation import PreparedData, _inputs_key
from search.spec.resolve import resolve
from tests.study_harness import TEXTS, changed, told_trials
from trainables.embeddings.vectors import Vectors


def test_a_forced_change_holds_for_later_trials_and_replays(harness, tables):
    old = harness.study.next()
    harness.report(old, 1, 0.9)
    harness.report(old, 2, 0.8)
    tables["space"] = {"hidden_size": [8, 16], "weight_decay": {"low": 0.0, "high": 0.1}}
    tables["fixed"]["cell"] = "gru"
    tables["stopping"]["grace_epochs"] = 2
    spec = resolve(tables, "x")
    harness.crash_and_reopen(change=changed(spec))
    assert harness.study.state.rungs.costs == {2: [-0.8]}
    assert harness.study.next().hyperparameters == old.hyperparameters
    new = harness.study.next()
    assert new.hyperparameters["cell"] == "gru"
    assert new.hyperparameters["hidden_size"] in (8, 16)
    harness.crash_and_reopen()
    again = [harness.study.next() for _ in range(2)]
    assert [work.hyperparameters for work in again] == [old.hyperparameters, new.hyperparameters]
    assert harness.study.state.spec == spec


def test_another_metric_values_old_epochs_anew(harness, tables):
    good, bad = harness.study.next(), harness.study.next()
    harness.report(good, 1, 0.9, loss=0.7)
    harness.report(bad, 1, 0.8, loss=0.3)
    spec = resolve(tables | {"metric": "val/loss", "mode": "min"}, "x")
    harness.crash_and_reopen(change=changed(spec))
    state = harness.study.state
    assert state.best().trial.number == bad.number
    assert state.rungs.costs[1] == [0.3, 0.7]
    assert [t.intermediate_values for t in told_trials(harness)] == [{}, {1: 0.3}]
    harness.report(harness.study.next(), 2, 0.1, loss=0.2)
    assert state.trials[0].epochs[-1].value == 0.2


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_epochs_that_lack_the_new_metric_are_no_obstacle(harness, tables, sampler):
    for _ in range(4):
        work = harness.study.next()
        for epoch in range(1, 5):
            harness.report(work, epoch, 0.9)
    spec = resolve(tables | {"search": {"trials": 30, "sampler": sampler}}, "x")
    spec = spec.model_copy(update={"metric": "val/new"})
    harness.crash_and_reopen(total=30, change=changed(spec))
    assert harness.study.state.best() is None
    work = harness.study.next()
    assert not harness.report(work, 1, 0.5)
    trial = harness.study.state.trials[work.number]
    assert trial.state == "failed" and "no val/new" in trial.reason


def test_a_trial_keeps_the_vectors_of_its_own_spec(tables):
    tables["fixed"] = {"embedding": "glove"}
    one = resolve(tables, "x")
    other = resolve(tables | {"data": tables["data"] | {"max_tokens": 8}}, "x")
    wide, narrow = (
        replace(TEXTS, vectors={"glove": Vectors("f", width, 1.0, 1.0)}) for width in (7, 5)
    )
    prepared = PreparedData(wide, {_inputs_key(other): narrow})
    assert prepared.of(one) is wide and prepared.of(other) is narrow
    assert prepared.of(other).complete({"embedding": "glove"})["embedding_dim"] == 5
    assert [name for name in prepared.shipped_files() if "vectors" in name] == ["vectors/f"]


def test_over_other_data_old_trials_are_kept_and_not_compared(harness, tables):
    ended, running = harness.study.next(), harness.study.next()
    for epoch in range(1, 5):
        harness.report(ended, epoch, 0.99)
    harness.report(running, 1, 0.995)
    harness.crash_and_reopen(change=changed(resolve(tables, "x"), data="other"))
    state = harness.study.state
    assert [trial.state for trial in state.trials] == ["completed", "pruned"]
    assert "other data" in state.trials[1].reason
    assert state.best() is None and not any(state.rungs.costs.values())
    assert [t.state.name for t in told_trials(harness)] == ["FAIL", "FAIL"]
    assert harness.study.common_failure() is None
    new = harness.study.next()
    assert new.number == 2
    harness.report(new, 1, 0.5)
    assert state.best().trial.number == 2
