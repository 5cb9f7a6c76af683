"""Where trials lie, and what is remembered of it."""

import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.policy.samplers.epoch_aware.distributions import axes_of
from search.policy.samplers.epoch_aware.places import SUGGESTED, Places
from search.policy.surrogate.axes import Axes

WIDE = {"x": FloatDistribution(0, 10), "y": FloatDistribution(0, 1)}


def trial(number: int, x: float, asked: dict[str, float] | None = None) -> FrozenTrial:
    made = create_trial(
        state=TrialState.RUNNING,
        params={"x": x},
        distributions={"x": WIDE["x"]},
        system_attrs={SUGGESTED: asked} if asked else {},
    )
    made.number = number
    return made


def test_trials_lie_by_what_they_have_and_by_what_was_suggested():
    taken, asked = Places().look(axes_of(WIDE), [trial(0, 5.0), trial(3, 1.0, {"x": 1, "y": 0.2})])
    assert taken == pytest.approx(np.array([[0.5, np.nan], [0.1, np.nan]]), nan_ok=True)
    assert asked == pytest.approx(np.array([[0.5, np.nan], [0.1, 0.2]]), nan_ok=True)


def test_each_is_looked_at_once_until_another_takes_its_place(monkeypatch):
    looked, points = list[int](), Axes.points

    def counting(axes, configurations):
        looked.append(len(configurations))
        return points(axes, configurations)

    monkeypatch.setattr(Axes, "points", counting)
    places, axes = Places(), axes_of(WIDE)
    every = [trial(number, float(number)) for number in range(6)]
    for seen in (every[:2], every, every, every[3:5]):
        taken, _ = places.look(axes, seen)
        assert (taken[:, 0] * 10).tolist() == [one.params["x"] for one in seen]
    assert looked == [2, 2, 4, 4], "by what it has, and by what it was asked to have"
    every[4] = trial(4, 9.0)
    assert places.look(axes, every)[0][4, 0] == 0.9
    assert looked[4:] == [1, 1]


def test_other_axes_are_other_places():
    places, every = Places(), [trial(0, 5.0)]
    assert places.look(axes_of(WIDE), every)[0][0, 0] == 0.5
    narrow = WIDE | {"x": FloatDistribution(0, 5)}
    assert places.look(axes_of(narrow), every)[0][0, 0] == 1.0
    assert places.look(axes_of({"y": WIDE["y"]}), every)[0].shape == (1, 1)
    assert places.look(axes_of(WIDE), [])[0].shape == (0, 2)
