"""Who leads apart from luck, and what is left to gain."""

import numpy as np
import pytest

from search.journal.load import load_state
from search.policy import outlook
from search.policy.expectations import expectations
from search.policy.merits import learn_merits
from search.policy.outlook import take_outlook
from search.report.content import Subject
from search.report.outlook import outlook_section, outlook_sentences, sentences
from search.report.rows import best_row, status_row
from search.spec.resolve import resolve
from tests.search.policy.searches import hill, pausing, search, study
from tests.study_harness import changed


@pytest.fixture
def tables(tables):
    return pausing(tables, "random")


def test_nothing_is_said_of_few_trials(tmp_path, tables):
    harness = study(tmp_path, tables)
    search(harness, hill(), until=5)
    assert harness.study.state.outlook is None
    assert outlook_sentences(harness.study.state) == []
    assert "outlook" not in status_row(harness.folder, harness.study.state)
    assert "leader" not in best_row(harness.study.state, False, harness.folder)


@pytest.mark.parametrize("trials", [14, 30])
def test_of_trials_that_all_come_to_one_value_it_is_said_that_they_do(tmp_path, tables, trials):
    """None leads, and nothing is foretold: no search ends by that."""
    tables["stopping"]["when_gain_below"] = 0.01
    harness = study(tmp_path, tables, trials)
    search(harness, lambda params, number, epoch: 0.5)
    state = harness.study.state
    assert state.outlook is None and state.concluded is None and state.trials.ended == trials
    told = [line for line in sentences(state) if "came to" in line]
    section = outlook_section(Subject(harness.folder, state, False))
    if trials < 15:
        assert not told and section is None
    else:
        assert f"all {trials} trials that ended came to val/accuracy 0.5" in told[0]
        assert section is not None and len(section.parts) == 1


def test_where_one_trial_differs_they_do_not_all_come_to_one_value(tmp_path, tables):
    harness = study(tmp_path, tables, 30)
    search(harness, lambda params, number, epoch: 0.5 + 1e-6 * (number == 7))
    assert not any("came to" in line for line in sentences(harness.study.state))


def test_the_leader_is_near_what_is_truly_best(tmp_path, tables):
    harness = study(tmp_path, tables, 40)
    search(harness, hill(noise=0.01))
    state = harness.study.state
    said = state.outlook
    assert said is not None and said.ended == 40 and said.left == 0
    assert said.gain == said.gain_low == said.gain_high == 0.0
    rate = state.trials[said.leader].params["learning_rate"]
    assert abs(np.log10(rate) + 2) < 0.4
    truth = hill()(state.trials[said.leader].params, said.leader, 4)
    assert abs(said.mean - truth) < 3 * said.se + 0.01
    assert said.mean < state.best().value, "the best of many is lucky"
    assert 0 < said.chance <= 1


@pytest.mark.lengthy
def test_the_leader_of_a_study_of_losses_has_the_least(tmp_path, tables):
    tables |= {"metric": "val/loss", "mode": "min"}
    harness, peak = study(tmp_path, tables, 40), hill(noise=0.01)
    search(harness, lambda *of: 1.0 - peak(*of))
    state = harness.study.state
    said = state.outlook
    assert said is not None
    truth = 1.0 - hill()(state.trials[said.leader].params, said.leader, 4)
    assert truth < 0.18 and abs(said.mean - truth) < 3 * said.se + 0.01


@pytest.mark.lengthy
def test_of_few_trials_the_leaders_error_is_no_smaller_than_it_is(tmp_path, tables):
    """Luck is a third of what the learning rate makes."""
    tables["search"]["sampler"] = "random"
    within, peak = 0, hill()

    def lucky(luck):
        return lambda params, number, epoch: peak(params, number, epoch) + luck[number]

    for seed in range(20):
        tables["search"]["seed"] = seed
        harness = study(tmp_path / str(seed), tables, 12)
        search(harness, lucky(np.random.default_rng(seed).normal(0.0, 0.01, 12)))
        state = harness.study.state
        said = state.outlook
        assert said is not None
        truth = peak(state.trials[said.leader].params, said.leader, 4)
        within += abs(said.mean - truth) < 2.0 * said.se
    assert within >= 16


@pytest.mark.lengthy
def test_a_search_has_less_to_gain_the_longer_it_goes(tmp_path, tables):
    tables["search"]["sampler"] = "auto"
    harness = study(tmp_path, tables, 60)
    search(harness, hill(noise=0.002))
    taken = [event for event in harness.events() if event.event == "outlook"]
    assert [e.ended for e in taken] == sorted({e.ended for e in taken})
    early, late = taken[0], [e for e in taken if e.left][-1]
    assert early.gain_high > late.gain_high >= late.gain >= late.gain_low
    assert late.gain_high < 0.05


def test_it_is_the_same_for_the_same_state(tmp_path, tables):
    harness = study(tmp_path, tables)
    search(harness, hill(noise=0.01))
    state = harness.study.state
    assert take_outlook(state) == take_outlook(load_state(harness.folder)) == state.outlook


def test_a_snapshot_has_it_too_and_a_change_forgets_it(tmp_path, tables):
    harness = study(tmp_path, tables)
    search(harness, hill(noise=0.01))
    harness.snapshot.take(harness.study.state)
    loaded = load_state(harness.folder)
    assert loaded.outlook == harness.study.state.outlook is not None
    loaded.apply(changed(loaded.spec, data="another"))
    assert loaded.outlook is None


def test_a_change_of_the_stopping_keeps_what_is_known(tmp_path, tables):
    harness = study(tmp_path, tables)
    search(harness, hill(noise=0.01))
    before = harness.study.state.outlook
    spec = harness.study.state.spec
    stopping = spec.stopping.model_copy(update={"audit": 0.1})
    change = changed(spec.model_copy(update={"stopping": stopping}))
    harness.crash_and_reopen(total=24, change=change)
    assert harness.study.state.outlook == before is not None


@pytest.mark.lengthy
def test_a_resumed_search_looks_ahead_when_one_that_went_through_does(tmp_path, tables):
    def looks(harness):
        return [event.ended for event in harness.events() if event.event == "outlook"]

    tables["stopping"]["losers"] = "stop"
    through = study(tmp_path / "a", tables, 60)
    search(through, hill(noise=0.01))
    killed = study(tmp_path / "b", tables, 60)
    for until in (11, 23, 24, 25, 40, 47):
        search(killed, hill(noise=0.01), until=until)
        killed.crash_and_reopen(total=60)
    search(killed, hill(noise=0.01))
    assert looks(killed) == looks(through)


def test_a_leader_was_trained_to_its_end(tmp_path, tables):
    """One in five starts so badly that those like it seem to gain much."""
    tables["stopping"] |= {"losers": "stop"}
    tables["search"] |= {"seed": 5}

    def value(params, number, epoch):
        spoilt = 500.0 if number % 5 == 0 and epoch == 1 else 0.0
        return hill(noise=0.01)(params, number, epoch) - spoilt

    harness = study(tmp_path, tables, 40)
    search(harness, value)
    state = harness.study.state
    for event in harness.events():
        if event.event == "outlook":
            assert state.trials[event.leader].state == "completed"


def test_with_other_things_fixed_the_outlook_is_forgotten(tmp_path, tables):
    harness = study(tmp_path, tables, 20)
    search(harness, hill())
    assert harness.study.state.outlook is not None
    other = {**tables, "fixed": {**tables["fixed"], "cell": "gru"}}
    harness.crash_and_reopen(total=40, change=changed(resolve(other, "x")))
    assert harness.study.state.outlook is None


def test_with_longer_trainings_the_outlook_is_forgotten_and_none_is_whole(tmp_path, tables):
    harness = study(tmp_path, tables, 20)
    search(harness, hill())
    assert harness.study.state.outlook is not None
    assert expectations(harness.study.state).whole_N.any()
    longer = {**tables, "stopping": {**tables["stopping"], "max_epochs": 12}}
    harness.crash_and_reopen(total=40, change=changed(resolve(longer, "x")))
    assert harness.study.state.outlook is None
    assert not expectations(harness.study.state).whole_N.any()


def test_one_that_failed_is_not_expected_to_come_to_anything(tmp_path, tables):
    harness = study(tmp_path, tables, 20)
    for value in (0.5, 0.6, 0.9):
        work = harness.begin()
        harness.report(work, 1, value)
        if harness.study.state.trials[work.number].state == "running":
            harness.report(work, 2, None)
    failed = [t.number for t in harness.study.state.trials if t.state == "failed"]
    assert failed
    assert not {t.number for t in expectations(harness.study.state).trials} & set(failed)


@pytest.fixture
def finite(tables):
    """A space of 24 configurations."""
    tables["space"] = {
        "hidden_size": [4, 8],
        "dropout": {"low": 0.0, "high": 0.3, "step": 0.1},
        "num_layers": {"low": 1, "high": 3},
    }
    tables["search"]["sampler"] = "auto"
    return tables


def lucky(params, number, epoch):
    luck = float(np.random.default_rng(number).normal(0.0, 0.02))
    return 0.7 + params["dropout"] / 10 + luck


def test_a_space_that_was_tried_whole_has_nothing_left_to_gain(tmp_path, finite):
    harness = study(tmp_path, finite, 40)
    search(harness, lucky, until=30)
    state = harness.study.state
    tried = {tuple(trial.params.items()) for trial in state.trials}
    said = take_outlook(state)
    assert len(tried) == 24 and said is not None and said.left > 0
    assert said.gain == said.gain_low == said.gain_high == 0.0


def test_candidates_are_what_was_not_tried(tmp_path, finite):
    harness = study(tmp_path, finite, 40)
    search(harness, lucky, until=20)
    state = harness.study.state
    merits = learn_merits(state)
    assert merits is not None
    x_CD = outlook._candidates(state, merits, np.random.default_rng(0))
    found = [merits.axes.configuration(x_D) for x_D in x_CD]
    tried = {tuple(trial.params.items()) for trial in state.trials}
    assert len(found) == 24 - len(tried) > 0
    assert not tried & {tuple(one.items()) for one in found}


def test_no_candidate_is_a_tried_one_where_there_are_many(tmp_path, tables):
    """A neighbour may differ on an axis of few values, and take the same one again."""
    harness = study(tmp_path, tables)
    search(harness, hill(noise=0.01), until=20)
    merits = learn_merits(harness.study.state)
    assert merits is not None
    x_CD = outlook._candidates(harness.study.state, merits, np.random.default_rng(0))
    points = {row.tobytes() for row in np.round(np.vstack((merits.x_MD, x_CD)), 9)}
    assert len(points) == len(merits.x_MD) + len(x_CD)


@pytest.mark.parametrize(
    ("gains", "low", "high"), [((0.01, 0.03), 0.005, 0.075), ((-0.02, 0.03), -0.05, 0.075)]
)
def test_an_interval_is_made_wider_whatever_its_signs(
    tmp_path, tables, monkeypatch, gains, low, high
):
    harness = study(tmp_path, tables)
    search(harness, hill(noise=0.01), until=20)
    state = harness.study.state
    merits = learn_merits(state)
    worst, best = (gain / merits.scale for gain in gains)
    monkeypatch.setattr(outlook, "_gains", lambda *given: np.array([worst] * 500 + [best] * 500))
    said = take_outlook(state)
    assert (said.gain_low, said.gain_high) == (pytest.approx(low), pytest.approx(high))


def test_what_readers_print(tmp_path, tables):
    harness = study(tmp_path, tables)
    search(harness, hill(noise=0.01))
    state = harness.study.state
    row = best_row(state, False, harness.folder)
    assert row["leader"] == {
        "number": state.outlook.leader,
        "mean": state.outlook.mean,
        "se": state.outlook.se,
    }
    outlook = status_row(harness.folder, state)["outlook"]
    assert outlook["gain"] == {"mean": 0.0, "ci95": [0.0, 0.0]}
    assert outlook["ended"] == 24
    section = outlook_section(Subject(harness.folder, state, running=False))
    assert f"trial {state.outlook.leader}'s configuration" in section.parts[0].text
