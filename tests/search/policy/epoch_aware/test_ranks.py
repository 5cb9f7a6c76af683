"""Trials of different epochs on one scale."""

import numpy as np
from scipy.special import ndtr

from search.policy.samplers.epoch_aware.ranks import Progress, scores, shares

NAN = float("nan")


def progress(costs, passed, failed=None) -> Progress:
    failed = [False] * len(costs) if failed is None else failed
    return Progress(np.array(costs), np.array(passed, dtype=bool), np.array(failed, dtype=bool))


#: Six trials; the best three came to the second rung, and one of those to the end.
HALVED = progress(
    [
        [0.6, NAN, NAN],
        [0.5, NAN, NAN],
        [0.4, NAN, NAN],
        [0.3, 0.29, NAN],
        [0.2, 0.25, NAN],
        [0.1, 0.05, 0.04],
    ],
    [[0, 0, 0]] * 3 + [[1, 0, 0]] * 2 + [[1, 1, 0]],
)


def test_the_share_that_came_so_far():
    assert np.allclose(shares(HALVED), [1, 1 / 2, 1 / 6])


def test_survivors_of_a_rung_take_the_top_places():
    places = ndtr(scores(HALVED))
    assert np.allclose(places, 1 - np.array([5.5 / 6, 4.5 / 6, 3.5 / 6, 2.5 / 6, 1.5 / 6, 0.5 / 6]))


def test_a_later_rung_counts_whatever_its_value():
    """An early value that is better by itself, as where a loss first falls and then rises."""
    found = scores(
        progress(
            [[0.2, NAN, NAN], [0.1, 0.9, NAN], [0.3, NAN, NAN]], [[0, 0, 0], [1, 0, 0], [0] * 3]
        )
    )
    assert found.argmax() == 1


def test_nobody_has_passed_yet():
    found = scores(progress([[0.2, NAN], [0.1, NAN]], [[0, 0], [0, 0]]))
    assert found[1] > found[0] and np.isfinite(found).all()


def test_equal_costs_have_equal_places():
    found = scores(progress([[0.2, NAN]] * 3 + [[0.5, NAN]], [[0, 0]] * 4))
    assert found[0] == found[1] == found[2] > found[3]


def test_a_failed_trial_is_the_worst_and_one_without_a_value_unknown():
    found = scores(
        progress([[0.2, NAN], [NAN, NAN], [NAN, NAN]], [[0, 0]] * 3, [False, True, False])
    )
    assert found[1] < found[0]
    assert np.isnan(found[2])


def test_no_trials():
    assert scores(progress(np.zeros((0, 2)), np.zeros((0, 2)))).shape == (0,)
