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
    assert np.allclose(places, (np.arange(6) + 0.5) / 6, atol=0.03)
    assert (np.diff(places) > 0).all()


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


def test_of_many_trials_values_say_how_far_they_are_apart():
    """Of few it is their ranks: one that is far ahead is one place ahead."""
    costs = np.linspace(0.5, 1.5, 80)
    costs[0] = 0.1
    few, many = (
        scores(progress([[cost, NAN] for cost in of], [[0, 0]] * len(of)))
        for of in (costs[:8], costs)
    )
    assert many[0] - many[1] > 3 * (many[1] - many[2])
    assert (np.diff(many) <= 0).all() and (np.diff(few) < 0).all()


def test_an_outlier_and_an_infinite_loss_hide_nothing():
    costs = [*np.linspace(0.5, 1.5, 80), 1e12, float("inf")]
    found = scores(progress([[cost, NAN] for cost in costs], [[0, 0]] * 82))
    assert np.isfinite(found).all()
    assert found[0] - found[39] > 1.0, "the good ones are as far apart as without it"
    assert found[80] == found[81] == found.min()
    costs[5] = -float("inf")
    found = scores(progress([[cost, NAN] for cost in costs], [[0, 0]] * 82))
    assert found[5] == found.max()
