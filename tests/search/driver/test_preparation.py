"""Data that has moved while trials of a study are under way."""

from search.driver.plan import Options, changed_study
from search.driver.preparation import prepare_study
from search.journal.state import StudyState, replay
from search.spec.resolve import resolve
from tests.reviews import write_reviews
from tests.study_harness import StudyHarness, changed
from trainables.storage import Cache


def paused_study(tmp_path, tables, cache: Cache) -> StudyState:
    """A study over real texts with a trial under way."""
    spec = resolve(tables, "x")
    harness = StudyHarness(tmp_path, tables)
    harness.report(harness.begin(), 1, 0.9)
    first, *others = harness.events()
    key = prepare_study(spec, cache).current.key
    return replay([first.model_copy(update={"data": key}), *others])


def test_an_open_trial_goes_on_where_its_data_lies_now(tmp_path, tables, reviews):
    cache = Cache(tmp_path / "cache")
    state = paused_study(tmp_path, tables, cache)
    trial, place = state.trials[0], tmp_path / "moved.csv"
    reviews.rename(place)
    for now_there in (None, 300):  # nothing, then other rows
        if now_there:
            write_reviews(reviews, rows=now_there)
        spec, _ = changed_study(state, Options(data=str(place)), force=False)
        prepared = prepare_study(spec, cache, state.trials)
        assert prepared.of(trial.spec).key == trial.data == prepared.current.key


def test_a_later_resume_finds_it_there_too(tmp_path, tables, reviews):
    """And a trial keeps how its texts are cut."""
    cache = Cache(tmp_path / "cache")
    state = paused_study(tmp_path, tables, cache)
    place = tmp_path / "moved.csv"
    reviews.rename(place)
    settings = (f"data.source={place}", "data.max_tokens=8")
    spec, _ = changed_study(state, Options(settings=settings), force=True)
    state.apply(changed(spec, data=state.data))
    again, change = changed_study(state, Options(), force=False)
    assert change is None
    prepared = prepare_study(again, cache, state.trials)
    cut = prepared.of(state.trials[0].spec).of_trial({}).settings
    assert (cut["max_tokens"], prepared.current.of_trial({}).settings["max_tokens"]) == (16, 8)
    assert prepared.of(state.trials[0].spec).key == state.data
