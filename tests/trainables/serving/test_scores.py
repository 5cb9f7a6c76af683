"""Scores of predictions without a model behind them."""

import numpy as np
import pytest

from trainables.serving.scores import _macro_f1, _per_class


def test_many_classes_make_no_matrix():
    """A confusion matrix of a million classes would take eight terabytes, in each draw."""
    classes = 1_000_000
    targets_N, predicted_N = np.array([0, 7, 7, classes - 1]), np.array([0, 7, 1, 1])
    expected = (1 + 2 / 3 + 0 + 0) / 4
    assert _macro_f1(predicted_N, targets_N, classes) == pytest.approx(expected)


def test_each_class_has_its_own_precision_and_recall():
    targets_N, predicted_N = np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0])
    a, b, c = _per_class(predicted_N, targets_N, ("a", "b", "c"))
    assert (a.texts, b.texts, c.texts) == (1, 3, 0)
    assert (a.precision, a.recall, a.f1) == pytest.approx((1 / 2, 1.0, 2 / 3))
    assert (b.precision, b.recall, b.f1) == pytest.approx((1.0, 2 / 3, 0.8))
    assert (c.precision, c.recall, c.f1) == (0.0, 0.0, 0.0)
