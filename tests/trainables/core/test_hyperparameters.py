"""How a hyperparameter is declared, and what is refused."""

import json
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from trainables.core.hyperparameters import Declaration, Hyperparameters, OneOf, declare
from trainables.errors import TaskError
from trainables.tasks.registry import TASKS


class Own(Hyperparameters):
    heads: Annotated[int, Field(ge=1, lt=9, description="attention heads")] = 2
    rate: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    norm: bool = True
    kind: Literal["a", "b"] = "a"
    named: Annotated[str, OneOf("x", "y")] = "x"
    only: Literal["z"] = "z"


def test_kind_range_and_default_are_read_off_the_type():
    declared = declare(Own)
    heads = declared["heads"]
    assert (heads.kind, heads.minimum, heads.below, heads.default) == ("int", 1, 9, 2)
    assert (declared["rate"].kind, declared["rate"].above) == ("float", 0.0)
    assert declared["norm"].kind == "bool"
    assert declared["kind"].choices == ("a", "b") and declared["named"].choices == ("x", "y")
    assert (declared["only"].kind, declared["only"].choices) == ("choice", ("z",))
    assert "learning_rate" in declared


def test_values_are_checked_and_never_coerced():
    for wrong in ({"heads": 0}, {"heads": 9}, {"heads": "2"}, {"heads": 2.0}, {"named": "z"}):
        with pytest.raises(ValidationError):
            Own(**wrong)
    assert Own(named="y").named == "y" and Own(rate=1).rate == 1.0


def test_a_field_that_cannot_be_searched_is_refused():
    class Bare(Hyperparameters):
        heads: int

    class Odd(Hyperparameters):
        sizes: list[int] = []

    with pytest.raises(TaskError, match="'heads' has no default"):
        declare(Bare)
    with pytest.raises(TaskError, match="'sizes' is neither an int, a float, a bool nor one of"):
        declare(Odd)


@pytest.mark.parametrize("task", TASKS)
def test_built_in_ones_say_what_they_do_and_where_they_come_from(task):
    for name, one in declare(TASKS[task].declaration.hyperparameters).items():
        assert one.description and one.source, name
        assert Declaration.model_validate(json.loads(one.model_dump_json())) == one


def test_regression_knows_nothing_of_classes():
    names = declare(TASKS["text-regression"].declaration.hyperparameters).keys()
    assert not names & {"label_smoothing", "class_weights"}
