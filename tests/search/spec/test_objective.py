"""Which of two values is better."""

import pytest

from search.spec.objective import Objective


@pytest.mark.parametrize(("mode", "better", "worse"), [("max", 0.9, 0.8), ("min", 0.8, 0.9)])
def test_less_cost_is_better(mode, better, worse):
    objective = Objective("val/x", mode)
    assert objective.cost(better) < objective.cost(worse)
    assert objective.improves(better, worse) and not objective.improves(worse, better)
    assert not objective.improves(better, better)


def test_an_epoch_is_worth_its_metric_if_all_its_metrics_are_finite():
    objective = Objective("val/x", "max")
    assert objective.value_of({"val/x": 0.5, "val/loss": 1.0}) == 0.5
    assert objective.value_of({"val/x": 0.5, "val/loss": None}) is None
    assert objective.value_of({"val/loss": 1.0}) is None
