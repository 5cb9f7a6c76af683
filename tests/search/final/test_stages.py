"""What a study's end trains, without training it."""

from search.driver.plan import Options, changed_study
from search.driver.preparation import prepare_study
from search.driver.signals import Interrupter
from search.final.stages import Stages
from search.spec.resolve import resolve
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
