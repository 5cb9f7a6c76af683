"""The search space: one dimension a hyperparameter, and its Optuna distribution.

A dimension's kind is its hyperparameter's own type, never guessed from the literal in the study
file; a literal list is a choice.
"""

import types
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from search.errors import SpecError
from trainables.core.hyperparameters import Hyperparameters
from trainables.errors import did_you_mean

Value = str | int | float | bool


class _RangeTable(BaseModel):
    model_config = ConfigDict(extra="forbid")

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None


@dataclass(frozen=True)
class Choice:
    """One of a list of values."""

    options: tuple[Value, ...]


@dataclass(frozen=True)
class Range:
    """A number from ``low`` to ``high``, both included; ``step`` counts from ``low``."""

    kind: Literal["int", "float"]
    low: float
    high: float
    log: bool = False
    step: float | None = None


Dimension = Choice | Range


def parse_space(table: dict[str, Any]) -> dict[str, Dimension]:
    """Validates a ``[space]`` table against the hyperparameters' kinds and ranges.

    Raises:
        SpecError: an unknown name, a value out of its range, an empty or reversed range.
    """
    return {name: _dimension(name, entry) for name, entry in table.items()}


def check_value(name: str, value: Any, where: str) -> Value:
    """A value as its hyperparameter takes it.

    Raises:
        SpecError: unknown name, wrong kind, or out of range.
    """
    field = Hyperparameters.model_fields.get(name)
    if field is None:
        raise SpecError(
            f"{where}: no hyperparameter {name!r}: "
            + did_you_mean(name, list(Hyperparameters.model_fields))
        )
    try:
        checked: Value = getattr(Hyperparameters.model_validate({name: value}), name)
    except ValidationError as error:
        raise SpecError(f"{where}.{name} = {value!r}: {error.errors()[0]['msg']}") from None
    return checked


def kind_of(name: str) -> str:
    """``int``, ``float``, ``bool`` or ``choice``: the kind of a hyperparameter."""
    annotation = Hyperparameters.model_fields[name].annotation
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(a for a in get_args(annotation) if a is not type(None))
    if annotation in (bool, int, float):
        return str(annotation.__name__)
    return "choice"


def _dimension(name: str, entry: Any) -> Dimension:
    where = f"space.{name}"
    if name not in Hyperparameters.model_fields:
        check_value(name, None, "space")
    if isinstance(entry, list):
        if not entry:
            raise SpecError(f"{where} is an empty list: give at least one value")
        options = tuple(check_value(name, value, "space") for value in entry)
        if len(set(options)) < len(options):
            raise SpecError(f"{where} = {entry} names a value twice")
        return Choice(options)
    if isinstance(entry, dict):
        return _range(name, entry)
    raise SpecError(
        f"{where} = {entry!r}: write a list of values or {{ low = …, high = … }}; "
        "a single value belongs in [fixed]"
    )


def _range(name: str, entry: dict[str, Any]) -> Range:
    where, kind = f"space.{name}", kind_of(name)
    if kind not in ("int", "float"):
        raise SpecError(f"{where}: {name} is not a number; write a list of values")
    try:
        table = TypeAdapter(_RangeTable).validate_python(entry, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise SpecError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    low, high = (float(check_value(name, x, "space")) for x in (table.low, table.high))
    if not low < high:
        raise SpecError(f"{where}: low = {table.low} must be below high = {table.high}")
    if table.log and low <= 0:
        raise SpecError(f"{where}: log = true needs low above 0, not {table.low}")
    if table.step is not None and (table.log or not 0 < table.step <= high - low):
        raise SpecError(f"{where}: step = {table.step} must be within the range, and not with log")
    if kind == "int" and table.step is not None and table.step != int(table.step):
        raise SpecError(f"{where}: step = {table.step} must be a whole number")
    parsed = Range("int" if kind == "int" else "float", low, high, table.log, table.step)
    if table.step is not None and not on_grid(parsed, high):
        raise SpecError(f"{where}: high = {table.high} is no whole number of steps above low")
    return parsed


def on_grid(dimension: Range, value: float) -> bool:
    """Whether a value lies a whole number of steps from ``low``."""
    steps = (value - dimension.low) / (dimension.step or 1.0)
    return abs(steps - round(steps)) < 1e-8


def contains(dimension: Dimension, value: Value) -> bool:
    """Whether a value may be drawn from a dimension."""
    if isinstance(dimension, Choice):
        return value in dimension.options
    inside = isinstance(value, (int, float)) and dimension.low <= value <= dimension.high
    return inside and (dimension.step is None or on_grid(dimension, float(value)))


def to_distributions(space: dict[str, Dimension]) -> dict[str, Any]:
    """Optuna's distributions, by name."""
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    def convert(dimension: Dimension) -> BaseDistribution:
        if isinstance(dimension, Choice):
            return CategoricalDistribution(dimension.options)
        if dimension.kind == "int":
            step = int(dimension.step or 1)
            return IntDistribution(int(dimension.low), int(dimension.high), dimension.log, step)
        return FloatDistribution(dimension.low, dimension.high, dimension.log, dimension.step)

    return {name: convert(dimension) for name, dimension in space.items()}


def largest(space: dict[str, Dimension]) -> dict[str, Value]:
    """The configuration that needs the most memory: every size at its top."""
    chosen: dict[str, Value] = {}
    for name, dimension in space.items():
        if isinstance(dimension, Choice):
            chosen[name] = max(dimension.options, key=_weight)
        else:
            high = dimension.high
            chosen[name] = int(high) if dimension.kind == "int" else high
    return chosen


#: Options that take more memory than others, where a choice is not a number.
_HEAVY = {"concat": 3.0, "lstm": 4.0, "gru": 3.0}


def _weight(option: Value) -> float:
    return _HEAVY.get(option, 1.0) if isinstance(option, str) else float(option)
