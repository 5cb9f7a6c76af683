"""Our metrics beside scikit-learn's, which would cost every trial 160 MB and six seconds."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from trainables.core.task import TaskContext
from trainables.networks.hyperparameters import (
    RecurrentClassifierHyperparameters,
    RecurrentHyperparameters,
)
from trainables.tasks.text_classification import TextClassification
from trainables.tasks.text_regression import TextRegression

NAMES = ("a", "b", "c", "d")


@pytest.mark.lengthy
@given(st.integers(2, 4), st.integers(5, 40), st.booleans(), st.integers(0, 10**6))
def test_of_classes(classes, texts, ties, seed):
    rng = np.random.default_rng(seed)
    targets = np.concatenate([np.arange(classes), rng.integers(0, classes, texts)])
    logits = rng.normal(size=(len(targets), classes)) * 3
    logits = np.round(logits) if ties else logits
    task = TextClassification(
        RecurrentClassifierHyperparameters(), TaskContext(9, NAMES[:classes], targets)
    )
    ours = task.metrics(torch.from_numpy(logits), torch.from_numpy(targets))
    shares = torch.softmax(torch.from_numpy(logits), dim=1).numpy()
    said = logits.argmax(axis=1)
    assert ours["accuracy"] == pytest.approx(metrics.accuracy_score(targets, said))
    assert ours["macro_f1"] == pytest.approx(metrics.f1_score(targets, said, average="macro"))
    assert ours["loss"] == pytest.approx(metrics.log_loss(targets, shares, labels=range(classes)))
    counts = metrics.confusion_matrix(targets, said, labels=range(classes))
    for true, row in zip(NAMES, counts, strict=False):
        for name, count in zip(NAMES, row, strict=False):
            assert ours[f"confusion/{true} as {name}"] == count
    if not ties:  # rounding a softmax may tie what the logits tell apart
        given_shares = shares[:, 1] if classes == 2 else shares
        expected = metrics.roc_auc_score(targets, given_shares, multi_class="ovr", average="macro")
        assert ours["auc"] == pytest.approx(expected)


@given(st.integers(2, 40), st.floats(-1e6, 1e6), st.integers(0, 10**6))
def test_of_numbers(texts, middle, seed):
    rng = np.random.default_rng(seed)
    targets = middle + rng.normal(size=texts) * 7
    task = TextRegression(RecurrentHyperparameters(), TaskContext(9, (), targets))
    outputs = torch.from_numpy(rng.normal(size=(texts, 1)))
    ours = task.metrics(outputs, torch.from_numpy(targets))
    said = outputs[:, 0].numpy() * targets.std() + targets.mean()
    assert ours["mae"] == pytest.approx(metrics.mean_absolute_error(targets, said))
    assert ours["rmse"] == pytest.approx(metrics.root_mean_squared_error(targets, said))
    assert ours["r2"] == pytest.approx(metrics.r2_score(targets, said), rel=1e-6, abs=1e-9)
