"""Who leads apart from luck, what is left to gain, and a search that ends for that."""

import shutil
from itertools import pairwise

import numpy as np
import pytest

from search.journal.events import SearchConcluded
from search.journal.load import load_state
from search.policy import outlook
from search.policy.expectations import expectations
from search.policy.merits import learn_merits
from search.policy.outlook import take_outlook
from search.report.content import Subject
from search.report.outlook import outlook_section, outlook_sentences, sentences
from search.report.rows import best_row, status_row
from search.spec.resolve import resolve
from tests.search.policy.searches import hill, search
from tests.study_harness import StudyHarness, changed


@pytest.fixture
def tables(tables):
    tables["stopping"] |= {"losers": "pause", "max_epochs": 4, "reduction_factor": 3}
    tables["search"] |= {"trials": 24, "sampler": "random"}
    return tables


def study(tmp_path, tables, total: int = 24) -> StudyHarness:
    tables["search"]["trials"] = total
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=total)
    return harness


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


@pytest.mark.lengthy
@pytest.mark.parametrize("share", [0.3, 0.45])
def test_a_share_that_is_no_whole_fraction_is_reached(tmp_path, tables, share):
    tables["search"]["replicates"] = share
    harness = study(tmp_path, tables, 60)
    search(harness, hill(noise=0.01))
    made = sum(trial.origin == "replicate" for trial in harness.study.state.trials)
    assert share - 0.07 <= made / 60 <= share


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


def test_configurations_that_somebody_wants_tried_are_tried_first(tmp_path, tables):
    tables["stopping"]["when_gain_below"] = 10.0
    tables["first"] = [{"dropout": 0.01 * number} for number in range(20)]
    harness = study(tmp_path, tables, 40)
    search(harness, hill())
    assert harness.study.state.concluded and len(harness.study.state.trials) == 20


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
