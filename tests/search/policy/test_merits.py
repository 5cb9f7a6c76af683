"""What configurations are worth, where many of them are no good at all."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from search.policy.merits import Merits, Tail, learn_merits
from search.policy.outlook import take_outlook
from search.spec.resolve import resolve
from tests.search.policy.searches import hill, search
from tests.study_harness import StudyHarness, changed

WORTHS = np.array([-9.0, 0.5, 0.5, 0.78, 0.8, 0.82, 0.84, 0.85, 0.86, 0.87])


def test_a_tail_is_drawn_in_and_what_is_good_stays_as_it_is():
    tail = Tail.of(WORTHS)
    drawn = tail.drawn_in(WORTHS)
    assert np.all(np.diff(drawn[np.argsort(WORTHS, kind="stable")]) >= 0)
    upper = tail.middle <= WORTHS
    assert np.array_equal(drawn[upper], WORTHS[upper])
    assert drawn[0] > tail.middle - 8 * tail.unit, "so bad, and no further from the others"
    assert [tail.back(float(one)) for one in drawn] == pytest.approx(WORTHS.tolist())


def test_what_diverged_does_not_come_to_nothing_by_rounding():
    worths = np.array([-0.693 - number / 1e5 for number in range(9)] + [-1e17, -1e20])
    tail = Tail.of(worths)
    drawn = tail.drawn_in(worths)
    assert np.all(np.diff(drawn) < 0) and drawn[-1] < drawn[-2] < drawn[8] - tail.unit
    assert tail.back(float(drawn[-1])) == pytest.approx(-1e20, rel=1e-6)


def test_configurations_stay_apart_when_what_told_them_apart_is_fixed(tmp_path, tables):
    tables["space"] = {"cell": ["lstm", "gru", "rnn"], "hidden_size": [4, 8, 16, 32]}
    tables["search"] |= {"trials": 12, "sampler": "auto"}
    tables["stopping"] |= {"max_epochs": 1}
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=12)
    worth = {"lstm": 0.8, "gru": 0.7, "rnn": 0.6}
    search(harness, lambda p, n, e: worth[p["cell"]] + p["hidden_size"] / 1e4)
    fixed = {**tables["fixed"], "cell": "gru"}
    space = {"hidden_size": tables["space"]["hidden_size"]}
    change = changed(resolve({**tables, "space": space, "fixed": fixed}, "x"))
    harness.crash_and_reopen(total=12, change=change)
    merits = learn_merits(harness.study.state)
    assert merits is not None and len(merits.first) == 12


def test_errors_are_in_the_units_of_worths():
    """Below the median a worth moves more than what stands for it."""
    tail = Tail.of(WORTHS)
    merits = cast(Any, SimpleNamespace(tail=tail, centre=0.7, scale=0.2))
    merits.worth = lambda z: Merits.worth(merits, z)
    for z in (1.0, -0.1, -0.3):
        around = [Merits.worth(merits, z + step) for step in (-1e-5, 1e-5)]
        assert Merits.error(merits, 2e-5, z) == pytest.approx(around[1] - around[0], rel=1e-3)


def test_its_slope_is_that_of_what_it_does():
    tail, step = Tail.of(WORTHS), 1e-6
    rise = (tail.drawn_in(WORTHS + step) - tail.drawn_in(WORTHS - step)) / (2 * step)
    assert rise == pytest.approx(tail.slopes(WORTHS), rel=1e-4)


@pytest.mark.parametrize("worths", [[0.5, 0.5, 0.5], [0.1, 0.5, 0.5, 0.5, 0.5], [0.5] * 9 + [0.6]])
def test_worths_of_which_most_are_equal_have_a_tail_too(worths):
    tail = Tail.of(np.array(worths))
    assert tail.unit > 0 and np.isfinite(tail.drawn_in(np.array(worths))).all()


@pytest.mark.lengthy
def test_many_that_learn_nothing_do_not_pass_for_luck(tmp_path, tables):
    """A third never leaves one half; what is left to gain is as among the others."""
    tables["stopping"] |= {"losers": "pause", "max_epochs": 4, "reduction_factor": 3}
    tables["search"] |= {"trials": 60, "sampler": "random"}
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=60)
    peak = hill(noise=0.002)

    def value(params, number, epoch):
        good = 0.85 + 0.02 * peak(params, number, epoch)
        return 0.5 if params["dropout"] > 0.33 else good

    search(harness, value, until=45)
    said = take_outlook(harness.study.state)
    assert said is not None and said.left > 0
    assert said.se < 0.01 and said.gain_high < 0.05
