"""Parameters that only some configurations have."""

import numpy as np

from search.policy.samplers.epoch_aware.conditions import Condition, learn, without

NAN = np.nan


def test_the_parent_whose_value_decides_is_found():
    x_ND = np.array([[0.1, 0.0, 0.5], [0.7, 1.0, NAN], [0.3, 0.0, 0.2], [0.9, 1.0, NAN]])
    (condition,) = learn(x_ND)
    assert condition == Condition(axis=2, parent=1, missing_at=(1.0,))
    new = np.array([[0.5, 1.0, 0.4], [0.5, 0.0, 0.4], [0.5, 0.5, 0.4]])
    assert np.isnan(without(new, (condition,))[:, 2]).tolist() == [True, False, False]
    assert not np.isnan(new).any(), "what was given is as it was"


def test_a_condition_on_what_is_itself_missing():
    rows = [[0.0, NAN, NAN], [1.0, 0.0, NAN], [1.0, 1.0, 0.3], [0.0, NAN, NAN]]
    conditions = learn(np.array(rows * 2))
    assert [condition.axis for condition in conditions] == [1, 2]
    less = without(np.array([[1.0, 1.0, 0.5], [1.0, 0.0, 0.5], [0.0, 1.0, 0.5]]), conditions)
    assert np.isnan(less).tolist() == [[False] * 3, [False, False, True], [False, True, True]]


def test_what_nothing_explains_is_taken_to_be_there():
    x_ND = np.array([[0.0, 0.5], [0.0, NAN], [1.0, 0.5], [1.0, NAN]])
    assert learn(x_ND) == ()
