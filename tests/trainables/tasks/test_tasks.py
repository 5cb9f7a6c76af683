"""Figures of the tasks against known values, and tasks of one's own."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from trainables.core.task import TaskContext
from trainables.errors import TaskError
from trainables.networks.hyperparameters import RecurrentClassifierHyperparameters
from trainables.tasks.metrics import auc, log_loss, macro_f1
from trainables.tasks.registry import code_of, find_task
from trainables.tasks.text_classification import TextClassification, balanced
from trainables.tasks.text_regression import TextRegression

TARGETS = torch.tensor([0, 0, 1, 1, 2])


def classification(targets=TARGETS, classes=("a", "b", "c"), **choices) -> TextClassification:
    return TextClassification(
        RecurrentClassifierHyperparameters(**choices), TaskContext(9, classes, targets.numpy())
    )


def test_figures_of_a_perfect_and_of_a_constant_predictor():
    task = classification()
    perfect = task.metrics(torch.eye(3)[TARGETS] * 50, TARGETS)
    assert (perfect["accuracy"], perfect["macro_f1"], perfect["auc"]) == (1.0, 1.0, 1.0)
    assert perfect["loss"] < 1e-9
    assert perfect["confusion/a as a"] == 2 and perfect["confusion/a as b"] == 0
    constant = task.metrics(torch.zeros(5, 3), TARGETS)
    assert constant["accuracy"] == pytest.approx(0.4) and constant["auc"] == 0.5
    assert constant["loss"] == pytest.approx(np.log(3))
    assert constant["confusion/c as a"] == 1


def test_area_counts_pairs():
    """Of the six pairs five are in order and one is equal: 5.5 / 6."""
    shares = torch.tensor([0.1, 0.4, 0.4, 0.6, 0.9])
    targets = torch.tensor([0, 0, 1, 1, 1])
    assert auc(torch.stack([1 - shares, shares], dim=1), targets) == pytest.approx(5.5 / 6)
    far = torch.tensor([[0.0, 50.0], [0.0, 45.0], [0.0, 60.0], [0.0, 70.0]])
    assert auc(far, torch.tensor([0, 0, 1, 1])) == 1.0, "shares of these would all be 1"
    assert auc(torch.tensor([[0.2, 0.8]]), torch.tensor([1])) == 0.5
    assert np.isnan(auc(torch.tensor([[float("nan"), 1.0]]), torch.tensor([1])))


def test_macro_f1_ignores_classes_that_never_occur():
    assert macro_f1(torch.tensor([0, 0]), torch.tensor([0, 0]), 5) == 1.0


def test_figures_of_many_classes_make_no_matrix_of_them():
    """A confusion matrix of a million classes would take eight terabytes."""
    classes = 1_000_000
    targets_N = torch.tensor([0, 7, 7, classes - 1])
    assert macro_f1(torch.tensor([0, 7, 1, 1]), targets_N, classes) == pytest.approx(
        (1 + 2 / 3 + 0 + 0) / 4
    )


def test_a_log_loss_a_piece_at_a_time_is_that_of_all(monkeypatch):
    logits_NC, targets_N = torch.randn(50, 7) * 3, torch.randint(0, 7, (50,))
    whole = functional.cross_entropy(logits_NC.double(), targets_N).item()
    assert log_loss(logits_NC, targets_N) == whole, "of few texts to the last bit"
    monkeypatch.setattr("trainables.tasks.metrics._NUMBERS_AT_ONCE", 40)
    assert log_loss(logits_NC, targets_N) == pytest.approx(whole, rel=1e-12)


def test_balanced_classes_weigh_alike():
    weights = balanced(torch.tensor([0, 0, 0, 1]), 3)
    assert weights.tolist() == pytest.approx([4 / 6, 2.0, 1.0])
    task = classification(torch.tensor([0, 0, 0, 1]), ("a", "b"), class_weights="balanced")
    losses = task.losses(torch.zeros(4, 2), torch.tensor([0, 0, 0, 1]))
    assert losses[:3].sum().item() == pytest.approx(losses[3].item())


def test_classes_that_are_mapped_read_only_warn_of_nothing(recwarn):
    targets_N = np.array([0, 0, 0, 1])
    targets_N.setflags(write=False)
    context = TaskContext(9, ("a", "b"), targets_N)
    TextClassification(RecurrentClassifierHyperparameters(class_weights="balanced"), context)
    assert not recwarn.list


def test_regression_in_the_labels_own_unit():
    targets = torch.tensor([10.0, 20.0, 30.0])
    task = TextRegression(RecurrentClassifierHyperparameters(), TaskContext(9, (), targets.numpy()))
    deviation = targets.numpy().std()
    perfect = task.metrics(((targets - 20) / deviation)[:, None], targets)
    assert perfect == pytest.approx({"mae": 0, "rmse": 0, "r2": 1, "loss": 0}, abs=1e-5)
    mean = task.metrics(torch.zeros(3, 1), targets)
    expected = {"mae": 20 / 3, "rmse": deviation, "r2": 0, "loss": 1}
    assert mean == pytest.approx(expected, abs=1e-6)
    assert task.losses(torch.zeros(3, 1), targets).mean().item() == pytest.approx(1.0)


OWN = """
from dataclasses import replace

from trainables.core.hyperparameters import Hyperparameters
from trainables.tasks.text_classification import TextClassification

class Spam(TextClassification):
    declaration = replace(TextClassification.declaration, metrics={"val/accuracy": "max"})

class Half:
    declaration = Spam.declaration

class Unnamed(Spam):
    declaration = replace(Spam.declaration, metrics={"accuracy": "max"})

class Unweighed(Spam):
    declaration = replace(Spam.declaration, hyperparameters=Hyperparameters)

class Bare:
    build = losses = metrics = None

class Wrong(Spam):
    declaration = replace(Spam.declaration, metrics={"val/accuracy": "high"})
"""


def test_task_of_ones_own(tmp_path, monkeypatch):
    (tmp_path / "my_tasks.py").write_text(OWN)
    (tmp_path / "broken.py").write_text("def (")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "tasks.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    assert code_of("mine.tasks:Spam") == tmp_path / "mine"
    entry = find_task("my_tasks:Spam")
    assert entry.declaration.metrics == {"val/accuracy": "max"}
    made: Any = entry.load()
    assert issubclass(made, TextClassification)
    assert code_of("my_tasks:Spam") == tmp_path / "my_tasks.py"
    assert code_of("text-regression") is None
    for name, message in [
        ("my_tasks:Half", "has no method 'build'"),
        ("my_tasks:Bare", "has no declaration"),
        ("my_tasks:Unnamed", "must be declared as 'val/accuracy'"),
        ("my_tasks:Unweighed", "Hyperparameters must say parameter_count"),
        ("my_tasks:None_", "cannot import"),
        ("nowhere:X", "cannot import"),
        (":X", "cannot import"),
        ("broken:X", "SyntaxError"),
        ("my_tasks:Wrong", "with 'min' or 'max'"),
        ("text-regresion", "did you mean 'text-regression'"),
    ]:
        with pytest.raises(TaskError, match=message):
            find_task(name)
