"""What configurations are worth, where many of them are no good at all."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from search.policy.merits import Merits, Tail
from search.policy.outlook import take_outlook
from tests.search.policy.searches import hill, search
from tests.study_harness import StudyHarness

WORTHS = np.array([-9.0, 0.5, 0.5, 0.78, 0.8, 0.82, 0.84, 0.85, 0.86, 0.87])


def test_a_tail_is_drawn_in_and_what_is_good_stays_as_it_is():
    tail = Tail.of(WORTHS)
    drawn = tail.drawn_in(WORTHS)
    assert np.all(np.diff(drawn[np.argsort(WORTHS, kind="stable")]) >= 0)
    upper = tail.middle <= WORTHS
    assert np.array_equal(drawn[upper], WORTHS[upper])
    assert drawn[0] > tail.middle - 8 * tail.unit, "so bad, and no further from the others"
    assert [tail.back(float(one)) for one in drawn] == pytest.approx(WORTHS.tolist())


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
