"""Configurations that are run again, and what that tells."""

from itertools import pairwise

import numpy as np
import pytest

from search.journal.load import load_state
from search.policy.expectations import expectations
from search.policy.merits import learn_merits
from search.spec.resolve import resolve
from tests.search.policy.searches import hill, pausing, search, study
from tests.study_harness import changed


@pytest.fixture
def tables(tables):
    return pausing(tables, "random")


@pytest.mark.lengthy
def test_only_what_the_present_space_has_is_repeated(tmp_path, tables):
    tables["search"]["replicates"] = 0.5
    harness = study(tmp_path, tables, 16)
    search(harness, hill(noise=0.01))
    space = {name: one for name, one in tables["space"].items() if name != "dropout"}
    other = {**tables, "space": space, "fixed": {**tables["fixed"], "dropout": 0.5}}
    harness.crash_and_reopen(total=48, change=changed(resolve(other, "x")))
    search(harness, hill(noise=0.01))
    state = harness.study.state
    later = [trial for trial in state.trials[16:] if trial.origin == "replicate"]
    assert later and all(trial.repeats >= 16 for trial in later)
    assert all(trial.params.keys() == space.keys() for trial in later)


@pytest.mark.lengthy
@pytest.mark.parametrize("share", [0.3, 0.45])
def test_a_share_that_is_no_whole_fraction_is_reached(tmp_path, tables, share):
    tables["search"]["replicates"] = share
    harness = study(tmp_path, tables, 60)
    search(harness, hill(noise=0.01))
    made = sum(trial.origin == "replicate" for trial in harness.study.state.trials)
    assert share - 0.07 <= made / 60 <= share


@pytest.mark.lengthy
def test_a_configuration_is_seen_with_its_unlucky_runs_too(tmp_path, tables):
    """Of many trials the best and the latest are looked at: the lucky ones, and not by luck."""
    tables["stopping"] |= {"grace_epochs": 4}
    tables["search"]["sampler"] = "random"
    preset = {"learning_rate": 1e-3, "dropout": 0.1, "hidden_size": 4}
    tables["first"] = [preset] * 5
    harness = study(tmp_path, tables, 300)
    values = [0.9, 0.1, 0.1, 0.1, 0.1]
    search(harness, lambda p, number, e: values[number] if number < 5 else 0.5 + number / 1000)
    seen = {trial.number for trial in expectations(harness.study.state).trials}
    assert set(range(5)) <= seen and len(seen) < 240
    assert [trial.repeats for trial in harness.study.state.trials[:5]] == [None, 0, 0, 0, 0]


@pytest.mark.lengthy
def test_the_share_of_replicates_names_what_it_repeats(tmp_path, tables):
    tables["search"]["replicates"] = 0.25
    harness = study(tmp_path, tables, 60)
    search(harness, hill(noise=0.01))
    state = harness.study.state
    repeated = [trial for trial in state.trials if trial.origin == "replicate"]
    assert 8 <= len(repeated) <= 15
    assert all(b.number - a.number >= 4 for a, b in pairwise(repeated)), "not in one go"
    for trial in repeated:
        assert trial.repeats is not None
        original = state.trials[trial.repeats]
        assert original.number < trial.number and original.params == trial.params
        assert original.repeats is None, "the first of its configuration"
    assert load_state(harness.folder).trials[repeated[0].number].repeats == repeated[0].repeats
    worth = [hill()(trial.params, 0, 4) for trial in repeated]
    everyone = [hill()(trial.params, 0, 4) for trial in state.trials if trial.repeats is None]
    assert np.mean(worth) > np.median(everyone), "leaders are repeated"


@pytest.mark.lengthy
def test_replicates_tell_how_much_is_luck(tmp_path, tables):
    """With runs of the same configurations apart, the chance of a training is known."""
    tables["search"]["replicates"] = 0.5
    tables["stopping"] |= {"grace_epochs": 4}
    found = []
    for index, noise in enumerate((0.001, 0.03)):
        harness = study(tmp_path / str(index), tables, 80)
        search(harness, hill(noise=noise))
        merits = learn_merits(harness.study.state)
        found.append(merits.scale * np.sqrt(merits.chance))
    assert found[0] < 0.005
    assert 0.015 < found[1] < 0.06


def test_a_small_space_names_what_it_tries_again(tmp_path, tables):
    tables["space"] = {"hidden_size": [4, 8], "dropout": {"low": 0.0, "high": 0.5, "step": 0.5}}
    tables["search"]["sampler"] = "auto"
    harness = study(tmp_path, tables, 10)
    search(harness, lambda params, number, epoch: params["dropout"] + number / 1000)
    state = harness.study.state
    firsts = [trial.number for trial in state.trials if trial.repeats is None]
    assert firsts == [0, 1, 2, 3]
    assert all(state.trials[t.repeats or 0].params == t.params for t in state.trials[4:])
