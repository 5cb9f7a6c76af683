"""Studies that begin with what former ones have shown, or with a centre in mind."""

import shutil

import numpy as np
import pytest

from search.driver.changes import declared
from search.driver.former import recall_former, still_to_recall
from search.driver.plan import Options, changed_study, study_of_tables
from search.errors import JournalDamaged, SpecError, StudyNotFound
from search.journal.events import WarmStarted
from search.journal.journal import Journal
from search.journal.load import load_state
from search.journal.state import replay
from search.policy.samplers.epoch_aware.beliefs import weights
from search.policy.samplers.recall import recall, scored
from search.spec.resolve import resolve
from tests.search.policy.searches import hill, search
from tests.study_harness import StudyHarness, created
from trainables.attempts.messages import Assignment


@pytest.fixture
def tables(tables):
    tables["stopping"] |= {"losers": "pause", "max_epochs": 4, "reduction_factor": 3}
    tables["search"] |= {"trials": 60, "sampler": "auto"}
    tables["space"]["weight_decay"] = {"low": 0.0, "high": 0.1}
    tables["space"]["word_dropout"] = {"low": 0.0, "high": 0.5}
    return tables


def ridge(params, number, epoch) -> float:
    """The best lies in a corner of four dimensions."""
    off = (np.log10(params["learning_rate"]) + 1.2) ** 2 + (params["dropout"] - 0.4) ** 2 * 20
    off += (params["weight_decay"] - 0.02) ** 2 * 200 + (params["word_dropout"] - 0.3) ** 2 * 20
    return 0.9 - 0.2 * off - 0.05 / epoch


def mirrored(params, number, epoch) -> float:
    """All that is good there is bad here."""
    return 0.5 - ridge(params, number, epoch)


def finished(folder, tables, value, total: int, former: tuple[WarmStarted, ...] = ()):
    tables = {**tables, "search": {**tables["search"], "trials": total}}
    harness = StudyHarness(folder, tables)
    harness.journal.close()
    harness.folder.journal.unlink()
    shutil.rmtree(harness.folder.snapshot, ignore_errors=True)
    journal = Journal(harness.folder.journal)
    journal.append(created(resolve(tables, "x")), *former)
    journal.close()
    harness.open(total)
    search(harness, value)
    return harness


def taken(tables, harness) -> WarmStarted:
    spec = resolve(tables, "x")
    return recall(spec, declared(spec), harness.study.state)


def best_after(harness, trials: int) -> float:
    return max(t.best_value for t in harness.study.state.trials[:trials])


@pytest.mark.lengthy
def test_a_former_study_is_copied_best_first_and_bounded(tmp_path, tables):
    tables["search"]["sampler"] = "random"
    harness = finished(tmp_path / "a", tables, ridge, 200)
    found = taken(tables, harness)
    assert 60 <= len(found.trials) <= 120
    scores = [trial.score for trial in found.trials]
    assert scores == sorted(scores, reverse=True)
    best = harness.study.state.best().trial
    assert found.trials[0].params == best.params


@pytest.mark.lengthy
def test_it_begins_with_the_best_and_finds_more_sooner(tmp_path, tables):
    former = taken(tables, finished(tmp_path / "a", tables, ridge, 60))
    warm = finished(tmp_path / "b", tables, ridge, 10, (former,))
    cold = finished(tmp_path / "c", tables, ridge, 10)
    assert warm.study.state.trials[0].params == former.trials[0].params
    assert [t.number for t in warm.study.state.trials] == list(range(10)), "its own alone"
    assert best_after(warm, 10) > best_after(cold, 10) + 0.02


@pytest.mark.lengthy
@pytest.mark.parametrize("first", [0, 1, 3, 8])
def test_named_configurations_come_before_the_best_former_ones(tmp_path, tables, first):
    former = taken(tables, finished(tmp_path / "a", tables, ridge, 60))
    tables["first"] = [{"hidden_size": 4}] * first
    warm = finished(tmp_path / "b", tables, ridge, first + 6, (former,))
    params = [trial.params for trial in warm.study.state.trials]
    best = [trial.params for trial in former.trials]
    assert [params[first + place] for place in (0, 2, 4)] == best[:3]


@pytest.mark.lengthy
def test_former_trials_are_taken_from_good_to_bad(tmp_path, tables):
    tables["search"]["sampler"] = "random"
    past = finished(tmp_path / "a", tables, ridge, 170)
    scores = [trial.score for trial in taken(tables, past).trials]
    assert len(scores) == 120
    everyone = sorted(score for _, score in scored(past.study.state))
    assert scores[-1] == pytest.approx(everyone[0], abs=1e-5)


@pytest.mark.lengthy
def test_a_study_killed_as_it_was_created_still_takes_them(tmp_path, tables):
    old = finished(tmp_path / "a", tables, ridge, 30)
    tables["search"]["warm_start"] = [str(old.folder.root)]
    former = recall_former(resolve(tables, "x"), tmp_path)
    torn = replay([created(resolve(tables, "x"))])
    assert still_to_recall(torn, tmp_path) == former
    torn.apply(former[0])
    assert still_to_recall(torn, tmp_path) == ()


@pytest.mark.lengthy
def test_one_that_misleads_only_delays(tmp_path, tables):
    former = taken(tables, finished(tmp_path / "a", tables, mirrored, 60))
    misled = finished(tmp_path / "b", tables, ridge, 60, (former,))
    taken_over = misled.study.state.trials[:4:2]
    assert max(trial.best_value for trial in taken_over) < 0.75
    assert best_after(misled, 60) > 0.86


def test_expectations_that_are_not_borne_out_lose_their_weight():
    z = np.linspace(-1, 1, 40)
    assert weights(np.column_stack((z, -z)), z) == pytest.approx([0.9, 0.0], abs=0.12)
    assert weights(np.zeros((0, 2)), np.zeros(0)) == pytest.approx([0.5, 0.5])


@pytest.mark.lengthy
def test_a_resume_needs_the_former_study_no_more(tmp_path, tables):
    old = finished(tmp_path / "a", tables, ridge, 30)
    tables["search"]["warm_start"] = [str(old.folder.root)]
    former = recall_former(resolve(tables, "x"), tmp_path)
    harness = finished(tmp_path / "b", tables, ridge, 6, former)
    shutil.rmtree(old.folder.root)
    harness.crash_and_reopen(total=9)
    again = load_state(harness.folder)
    assert again.former == list(former) == harness.study.state.former
    search(harness, ridge)
    harness.snapshot.take(harness.study.state)
    assert load_state(harness.folder).former == list(former)


def test_what_is_fixed_there_may_be_searched_here(tmp_path, tables):
    there = {**tables, "space": {k: v for k, v in tables["space"].items() if k != "hidden_size"}}
    there["fixed"] = {**tables["fixed"], "hidden_size": 8}
    former = taken(tables, finished(tmp_path / "a", there, ridge, 12))
    assert {trial.params["hidden_size"] for trial in former.trials} == {8}
    assert list(former.trials[0].params) == list(tables["space"])


def test_what_cannot_be_used_is_refused(tmp_path, tables):
    harness = finished(tmp_path / "a", tables, ridge, 12)
    elsewhere = {**tables, "space": {**tables["space"], "hidden_size": [16, 32]}}
    with pytest.raises(SpecError, match=r"nothing of study 'small'.*hidden_size = .*not in space"):
        taken(elsewhere, harness)
    tables["search"]["warm_start"] = ["nowhere"]
    with pytest.raises(StudyNotFound, match="no study 'nowhere'"):
        recall_former(resolve(tables, "x"), tmp_path)
    tables["search"]["warm_start"] = ["x/nowhere"]
    with pytest.raises(StudyNotFound, match="there is no study in"):
        recall_former(resolve(tables, "x"), tmp_path)
    other = f"{harness.folder.root.parent}/./{harness.folder.root.name}"
    tables["search"]["warm_start"] = [str(harness.folder.root), other]
    with pytest.raises(SpecError, match="twice"):
        recall_former(resolve(tables, "x"), tmp_path)


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random"])
def test_samplers_that_would_not_heed_it_are_refused(tables, sampler):
    tables["search"]["sampler"] = sampler
    centred = {**tables, "space": {**tables["space"]}}
    centred["space"]["dropout"] = {"low": 0.0, "high": 0.5, "prior": 0.1}
    with pytest.raises(SpecError, match=r"space\.dropout\.prior has no effect"):
        study_of_tables(centred, Options(), "x")
    tables["search"]["warm_start"] = ["other"]
    with pytest.raises(SpecError, match=r"search\.warm_start has no effect"):
        study_of_tables(tables, Options(), "x")


def test_a_study_that_has_begun_cannot_begin_with_another(tmp_path, tables):
    harness = finished(tmp_path / "a", tables, ridge, 3)
    options = Options(settings=('search.warm_start=["x"]',))
    with pytest.raises(SpecError, match=r"search\.warm_start"):
        changed_study(harness.study.state, options, force=True)


def test_one_that_began_so_may_take_a_sampler_that_does_not_heed_it(tmp_path, tables):
    old = finished(tmp_path / "a", tables, ridge, 12)
    tables["search"]["warm_start"] = [str(old.folder.root)]
    former = recall_former(resolve(tables, "x"), tmp_path)
    harness = finished(tmp_path / "b", tables, ridge, 3, former)
    options = Options(settings=("search.sampler=tpe",))
    spec, change = changed_study(harness.study.state, options, force=True)
    assert spec.search.sampler == "tpe" and spec.search.warm_start
    assert "search.warm_start: no effect with sampler 'tpe'" in change.texts


def test_folders_are_whole_paths_and_names_stay_names(tmp_path, tables, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tables["search"]["warm_start"] = ["old", "runs/older", "~nobodyxyz/x"]
    spec = study_of_tables(tables, Options(), "x")
    assert spec.search.warm_start == ("old", str(tmp_path / "runs/older"), "~nobodyxyz/x")


def test_what_a_named_configuration_leaves_open_lies_at_its_centre(tmp_path, tables):
    tables["space"]["dropout"] = {"low": 0.0, "high": 0.5, "prior": 0.4}
    tables["space"]["hidden_size"] = {"low": 4, "high": 64, "prior": 9.0}
    tables["first"] = [{"learning_rate": 0.01}, {"dropout": 0.1}]
    harness = finished(tmp_path / "a", tables, ridge, 2)
    params = [trial.params for trial in harness.study.state.trials]
    assert [one["dropout"] for one in params] == [0.4, 0.1]
    assert [one["hidden_size"] for one in params] == [9, 9] and type(
        params[0]["hidden_size"]
    ) is int
    assert params[0]["weight_decay"] != params[1]["weight_decay"], "drawn"


@pytest.mark.parametrize("prior", [0.6, -0.1, 0.33])
def test_a_centre_is_a_value_of_its_range(tables, prior):
    tables["space"]["dropout"] = {"low": 0.0, "high": 0.5, "step": 0.1, "prior": prior}
    with pytest.raises(SpecError, match=r"prior = .* must be one of its own values"):
        resolve(tables, "x")


def test_the_first_trials_lie_around_the_centre(tmp_path, tables):
    tables["space"]["dropout"] = {"low": 0.0, "high": 0.5, "prior": 0.4}
    harness = finished(tmp_path / "a", tables, ridge, 8)
    near = [abs(trial.params["dropout"] - 0.4) < 0.2 for trial in harness.study.state.trials]
    assert sum(near) >= 6


def test_a_study_of_which_all_failed_is_of_no_use(tmp_path, tables):
    harness = StudyHarness(tmp_path / "failed", tables)
    harness.crash_and_reopen(total=5)
    while isinstance(work := harness.study.next(), Assignment):
        harness.report(work, 1, None)
    with pytest.raises(SpecError, match="none of its trials has a result"):
        taken(tables, harness)


@pytest.mark.parametrize("name", ["~nobodyxyz/x", "\0/x"])
def test_a_path_that_is_none_names_the_setting(tmp_path, tables, name):
    tables["search"]["warm_start"] = [name]
    with pytest.raises(StudyNotFound, match=r"search\.warm_start"):
        recall_former(resolve(tables, "x"), tmp_path)


def test_a_damaged_former_study_names_the_setting(tmp_path, tables):
    harness = StudyHarness(tmp_path / "old", tables)
    harness.journal.close()
    harness.folder.journal.write_text("nonsense\n" * 3, encoding="utf-8")
    tables["search"]["warm_start"] = [str(harness.folder.root)]
    with pytest.raises(JournalDamaged, match=r"search\.warm_start"):
        recall_former(resolve(tables, "x"), tmp_path)


@pytest.mark.lengthy
def test_a_centre_that_misleads_only_delays(tmp_path, tables):
    tables["space"]["dropout"] = {"low": 0.0, "high": 0.5, "prior": 0.05}
    tables["space"]["learning_rate"]["prior"] = 0.001
    harness = finished(tmp_path / "a", tables, ridge, 60)
    assert best_after(harness, 40) > 0.8 and best_after(harness, 60) > 0.85


@pytest.mark.lengthy
def test_a_centre_is_soon_outweighed(tmp_path, tables):
    tables["space"]["learning_rate"] = {"low": 1e-3, "high": 1e-1, "log": True, "prior": 1e-3}
    harness = finished(tmp_path / "a", tables, hill(), 30)
    late = [np.log10(trial.params["learning_rate"]) for trial in harness.study.state.trials[15:]]
    assert abs(np.median(late) + 2) < 0.4


@pytest.mark.parametrize("key", ["prior", "high"])
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_what_is_no_number_is_refused(tables, key, value):
    tables["fixed"].pop("num_layers", None)
    tables["space"]["num_layers"] = {"low": 1, "high": 3} | {key: value}
    with pytest.raises(SpecError, match=rf"space\.num_layers: {key}: .*finite"):
        resolve(tables, "x")
