"""Scores of predictions without a model behind them."""

import numpy as np
import pytest
import torch

from trainables.serving.scores import _area, _macro_f1, _per_class
from trainables.tasks import metrics


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


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("ties", [False, True])
def test_the_area_over_a_draw_is_that_of_its_texts(classes, ties):
    rng = np.random.default_rng(classes)
    logits_NC = (rng.normal(size=(120, classes)) * 3).astype(np.float32)
    logits_NC = np.round(logits_NC) if ties else logits_NC
    targets_N = rng.integers(0, classes, size=120)
    area = _area(logits_NC, targets_N)
    draws = [rng.integers(120, size=size) for size in (120, 120, 7, 2)]
    for rows in (np.arange(120), *draws, np.flatnonzero(targets_N == 0)):
        truth, drawn = torch.from_numpy(targets_N[rows]), torch.from_numpy(logits_NC[rows])
        assert area(rows) == pytest.approx(metrics.auc(drawn.double(), truth), abs=1e-9)
    logits_NC[3] = np.nan
    area = _area(logits_NC, targets_N)
    assert np.isnan(area(np.array([3, 4]))) and area(np.array([4, 5])) >= 0.0


def test_log_odds_are_computed_once_however_often_texts_are_drawn(monkeypatch):
    """Of many classes they take far longer than to rank them does."""
    computed, log_odds = list[int](), metrics._log_odds

    def counted(logits_NC, klass):
        computed.append(klass)
        return log_odds(logits_NC, klass)

    monkeypatch.setattr(metrics, "_log_odds", counted)
    rng = np.random.default_rng(0)
    area = _area(rng.normal(size=(50, 5)).astype(np.float32), rng.integers(0, 5, size=50))
    for _ in range(10):
        area(rng.integers(50, size=50))
    assert computed == list(range(5))
