"""What a study says without effect is refused, but never of a study that has begun."""

import pytest

from search.errors import SpecError
from search.spec.overrides import apply_settings
from search.spec.resolve import resolve

FROZEN = {
    "fixed.freeze_embedding": True,
    "space.embedding_lr_factor": {"low": 0.1, "high": 1.0},
    "space.freeze_epochs": [0, 1],
}
ONE_LAYER = {"space.locked_dropout": [False, True]}


def changed(tables, settings):
    return apply_settings(tables, [(path.split("."), value) for path, value in settings.items()])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (FROZEN, "has no effect: freeze_embedding is true in every trial; take it out"),
        (
            {"fixed.freeze_embedding": True, "fixed.embedding_lr_factor": 0.5},
            "embedding_lr_factor has no effect: freeze_embedding is true",
        ),
        (ONE_LAYER, "locked_dropout has no effect: input_dropout is 0, and one layer"),
        (
            {"stopping.losers": "stop", "stopping.keep_paused": 5},
            'keep_paused has no effect: losers = "stop"',
        ),
    ],
)
def test_what_changes_nothing_is_refused(tables, settings, message):
    with pytest.raises(SpecError, match=message):
        resolve(changed(tables, settings), "x")


@pytest.mark.parametrize(
    "settings",
    [
        {"fixed.freeze_embedding": True, "fixed.freeze_epochs": 0},
        FROZEN | {"fixed.freeze_embedding": False},
        {"space.freeze_embedding": [False, True], "space.freeze_epochs": [0, 1]},
        ONE_LAYER | {"space.num_layers": [1, 2]},
        ONE_LAYER | {"fixed.input_dropout": 0.1},
        {"fixed.locked_dropout": False},
        {"stopping.losers": "stop", "stopping.keep_paused": 20},
        {"stopping.losers": "pause", "stopping.keep_paused": 5},
    ],
)
def test_what_changes_something_or_is_as_by_default_is_not(tables, settings):
    spec = resolve(changed(tables, settings), "x")
    assert resolve(spec.tables(), "x") == spec, "nor is the resolved file"


def test_a_study_that_has_begun_goes_on_as_it_is(tables):
    spec = resolve(tables, "x")
    stopping = spec.stopping.model_copy(update={"keep_paused": 5})
    space = spec.space | {"locked_dropout": [False, True]}
    begun = spec.model_copy(update={"space": space, "stopping": stopping})
    assert resolve(begun.tables(), "x", before=begun) == begun
    with pytest.raises(SpecError, match="has no effect"):
        resolve(begun.tables(), "x")
    frozen = changed(begun.tables(), {"fixed.freeze_embedding": True, "fixed.freeze_epochs": 2})
    with pytest.raises(SpecError, match="freeze_epochs has no effect"):
        resolve(frozen, "x", before=begun)


def test_a_study_with_paused_trials_may_stop_losers_from_now_on(tables):
    """How many stay paused still bounds those that are."""
    begun = resolve(changed(tables, {"stopping.losers": "pause", "stopping.keep_paused": 5}), "x")
    now = changed(begun.tables(), {"stopping.losers": "stop"})
    assert resolve(now, "x", before=begun).stopping.losers == "stop"
    with pytest.raises(SpecError, match="keep_paused has no effect"):
        resolve(changed(now, {"stopping.keep_paused": 6}), "x", before=begun)
