import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.policy.halving import _quantile, new_asha, rung_epochs


@pytest.mark.parametrize(
    ("grace", "factor", "longest", "expected"),
    [(1, 3, 27, (1, 3, 9)), (1, 4, 100, (1, 4, 16, 64)), (5, 4, 50, (5, 20)), (7, 3, 7, ())],
)
def test_rungs_lie_below_the_longest_training(grace, factor, longest, expected):
    assert rung_epochs(grace, factor, longest) == expected


@pytest.mark.parametrize(("mode", "sign"), [("max", 1), ("min", -1)])
def test_only_the_best_share_goes_on(mode, sign):
    asha = new_asha(1, 3, 9, mode)
    assert not asha.should_stop(1, -1e9 * sign)  # the first at a rung is never stopped
    for number, value in enumerate([1.0, 2.0, 3.0, 4.0]):
        asha.record(number, 1, sign * value)
    assert asha.should_stop(1, sign * 2.9)
    assert not asha.should_stop(1, sign * 3.0)
    assert not asha.should_stop(2, sign * -5)  # no rung there
    assert not asha.should_stop(3, sign * -5)  # nobody was there before


def test_a_late_value_never_enters_an_early_rung():
    """Ray's ASHA does that after a resume, and then stops identical trials."""
    asha = new_asha(1, 3, 27, "max")
    asha.record(0, 15, 0.99)
    assert asha.rungs == {1: {}, 3: {}, 9: {}}
    asha.record(0, 3, 0.5)
    assert asha.rungs == {1: {}, 3: {0: 0.5}, 9: {}}


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0, 1))
def test_quantile_is_numpys(values, share):
    assert _quantile(values, share) == pytest.approx(np.quantile(values, share), abs=1e-6)
