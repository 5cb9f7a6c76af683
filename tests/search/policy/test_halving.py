"""Rungs, and who is stopped at them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.journal.rungs import Rungs, rung_epochs
from search.policy.halving import _quantile, should_stop
from search.spec.objective import Objective
from search.spec.study import StoppingSpec


def stopping(grace: int, factor: int, longest: int) -> StoppingSpec:
    return StoppingSpec(grace_epochs=grace, reduction_factor=factor, max_epochs=longest)


@pytest.mark.parametrize(
    ("grace", "factor", "longest", "expected"),
    [(1, 3, 27, (1, 3, 9)), (1, 4, 100, (1, 4, 16, 64)), (5, 4, 50, (5, 20)), (7, 3, 7, ())],
)
def test_rungs_lie_below_the_longest_training(grace, factor, longest, expected):
    assert rung_epochs(stopping(grace, factor, longest)) == expected


@pytest.mark.parametrize(("mode", "sign"), [("max", 1), ("min", -1)])
def test_only_the_best_share_goes_on(mode, sign):
    objective, rungs = Objective("val/x", mode), Rungs.empty(stopping(1, 3, 9))

    def stops(epoch: int, value: float) -> bool:
        return should_stop(rungs.at(epoch), objective.cost(sign * value), 3)

    assert not stops(1, -1e9), "the first at a rung is never stopped"
    for value in [3.0, 1.0, 4.0, 2.0]:
        rungs.record(1, objective.cost(sign * value))
    assert stops(1, 2.9)
    assert not stops(1, 3.0)
    assert not stops(2, -5), "no rung there"
    assert not stops(3, -5), "nobody was there before"


def test_a_late_value_never_enters_an_early_rung():
    """Ray's ASHA does that after a resume, and then stops identical trials."""
    rungs = Rungs.empty(stopping(1, 3, 27))
    rungs.record(15, 0.99)
    assert rungs.costs == {1: [], 3: [], 9: []}
    rungs.record(3, 0.5)
    assert rungs.costs == {1: [], 3: [0.5], 9: []}


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0, 1))
def test_quantile_is_numpys(values, share):
    assert _quantile(sorted(values), share) == pytest.approx(np.quantile(values, share), abs=1e-6)
