"""What a study's end trains, without training it."""

import json

import pytest

from cluster.errors import ClusterError
from search.driver.plan import Options, changed_study
from search.driver.preparation import prepare_study
from search.driver.signals import Interrupter
from search.errors import NoFiniteResult, SpecError
from search.final.candidates import Candidate, contest
from search.final.stages import Ranking, Stages, _check_same, _epochs_needed
from search.policy.failures import Failure
from search.spec.resolve import resolve
from search.spec.study import StudySpec
from tests.study_harness import StudyHarness, changed
from trainables.storage import Cache


def test_stages_that_were_begun_find_data_that_has_moved(tmp_path, tables, reviews):
    cache, begun = Cache(tmp_path / "cache"), resolve(tables, "x")
    harness = StudyHarness(tmp_path, tables)
    state = harness.study.state
    state.apply(changed(begun, data=prepare_study(begun, cache).current.key))
    reviews.rename(tmp_path / "moved.csv")
    spec, _ = changed_study(state, Options(data=str(tmp_path / "moved.csv")), force=False)
    state.apply(changed(spec, data=state.data))
    stages = Stages(harness.folder, state, Options(), Interrupter())
    assert stages._same(begun, cache, ()).current.key == state.data


def ranked(tmp_path, tables, failed: int) -> Ranking:
    """Two candidates and the baseline with two seeds each, of which one seed has failed after a
    first epoch that was better than any other."""
    tables["stopping"] = {"max_epochs": 4, "grace_epochs": 4}
    harness = StudyHarness(tmp_path, tables)
    for number in range(6):
        work = harness.begin()
        for epoch in range(1, 2 if number == failed else 5):
            harness.report(work, epoch, 0.99 if number == failed else 0.5 + epoch / 10)
        if number == failed:
            harness.study.fail(number, 1, Failure("exception", "ValueError: no", "Traceback …"))
    harness.study.next()
    trials = harness.study.state.trials
    everyone = [Candidate(trial=number, params={}) for number in range(3)]
    by_place = [trials[place::3] for place in range(3)]
    return Ranking(everyone, by_place, harness.folder, harness.study.state)


def test_a_seed_that_failed_part_way_is_no_result(tmp_path, tables):
    ranking = ranked(tmp_path, tables, failed=3)
    assert ranking.trials[0][1].state == "failed"
    assert ranking.winner == 1
    assert ranking.values(0) == [0.9] and ranking.values(1) == [0.9, 0.9]
    assert _epochs_needed(ranking.trials[1]) == 4


def test_seeds_that_failed_are_named_with_what_trains_them_again(tmp_path, tables):
    ranking = ranked(tmp_path, tables, failed=5)
    remedy = rf"see .*logs\. To train the seeds again, remove {ranking.folder.root} and"
    with pytest.raises(
        NoFiniteResult, match=rf"seed 2 of the baseline .*\(ValueError: no\).*{remedy}"
    ):
        _ = ranking.winner
    alone = Ranking(ranking.candidates[2:] * 2, [ranking.trials[2]] * 2, *_place(ranking))
    with pytest.raises(NoFiniteResult, match="seed 2 of candidate 1"):
        _ = alone.winner


def _place(ranking: Ranking):
    return ranking.folder, ranking.state


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(max_concurrent=0), r"resources\.max_concurrent = 0: "),
        (Options(cpus_per_trial=0), r"resources\.cpus_per_trial = 0: "),
        (Options(gpus_per_trial=2.0), r"resources\.gpus_per_trial = 2\.0: "),
        (Options(cluster="no such"), "--cluster 'no such'"),
    ],
)
def test_options_are_looked_at_before_anything_is_begun(harness, options, said):
    with pytest.raises((SpecError, ClusterError), match=said):
        Stages(harness.folder, harness.study.state, options, Interrupter())


def test_a_stage_is_gone_on_with_for_what_it_was_begun_for_and_no_other(tables, harness):
    one, other = {"hidden_size": 4}, {"hidden_size": 8}
    asked = contest(resolve(tables, "x"), "contest", [one, other], 2)
    begun = StudySpec.from_tables(json.loads(json.dumps(asked.tables())))
    _check_same(harness.folder, begun, asked)
    moved = tables | {"data": tables["data"] | {"source": "/elsewhere/reviews.csv"}}
    _check_same(harness.folder, begun, contest(resolve(moved, "x"), "contest", [one, other], 2))
    for more, contestants, said in (
        ({}, [other, one], "space and first"),
        ({}, [one, {"hidden_size": 6}], "space and first"),
        ({"metric": "val/loss", "mode": "min"}, [one, other], "metric and mode"),
    ):
        changed_since = contest(resolve(tables | more, "x"), "contest", contestants, 2)
        with pytest.raises(SpecError, match=rf"another {said}: .* remove the folder"):
            _check_same(harness.folder, begun, changed_since)
