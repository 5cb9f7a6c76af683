"""The search space: one dimension a hyperparameter.

A dimension's kind is its hyperparameter's own type, never guessed from the literal in the study
file; a literal list is a choice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from search.errors import SpecError
from trainables.core.hyperparameters import Declaration
from trainables.errors import did_you_mean

Value = str | int | float | bool


class _RangeTable(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None
    prior: int | float | None = None


@dataclass(frozen=True)
class Choice:
    """One of a list of values."""

    options: tuple[Value, ...]


@dataclass(frozen=True)
class Range:
    """A number from ``low`` to ``high``, both included; ``step`` counts from ``low``. The good ones
    are believed to lie around ``prior``."""

    kind: Literal["int", "float"]
    low: float
    high: float
    log: bool = False
    step: float | None = None
    prior: float | None = None

    @property
    def ends(self) -> tuple[Value, Value]:
        """Both ends, of the hyperparameter's own type."""
        kind = int if self.kind == "int" else float
        return kind(self.low), kind(self.high)


Dimension = Choice | Range


def centres(space: Mapping[str, Dimension]) -> dict[str, Value]:
    """Return the values around which the good ones are believed to lie, where one is given."""
    given = {name: one for name, one in space.items() if isinstance(one, Range)}
    return {
        name: int(one.prior) if one.kind == "int" else float(one.prior)
        for name, one in given.items()
        if one.prior is not None
    }


def parse_space(
    table: Mapping[str, Any], declarations: Mapping[str, Declaration]
) -> dict[str, Dimension]:
    """Read a ``[space]`` table by the kinds of its hyperparameters.

    Whether single values are in their ranges is for the hyperparameters' own class to say.

    Raises:
        SpecError: an unknown name, an empty or doubled list, an empty or reversed range.
    """
    return {name: _dimension(name, entry, declarations) for name, entry in table.items()}


def unknown_hyperparameter(name: str, known: Mapping[str, Any], where: str) -> SpecError:
    """Return the error for a name that the task does not have."""
    return SpecError(f"{where}: no hyperparameter {name!r}: {did_you_mean(name, list(known))}")


def _dimension(name: str, entry: Any, declarations: Mapping[str, Declaration]) -> Dimension:
    where = f"space.{name}"
    if name not in declarations:
        raise unknown_hyperparameter(name, declarations, "space")
    kind = declarations[name].kind
    if isinstance(entry, list):
        return _choice(where, kind, entry)
    if isinstance(entry, dict):
        return _range(where, kind, entry)
    raise SpecError(
        f"{where} = {entry!r}: write a list of values or {{ low = …, high = … }}; "
        "a single value belongs in [fixed]"
    )


def _choice(where: str, kind: str, entry: list[Any]) -> Choice:
    if not entry:
        raise SpecError(f"{where} is an empty list: give at least one value")
    whole = (isinstance(value, int) and not isinstance(value, bool) for value in entry)
    options = tuple(
        _number(where, value) if kind == "float" and is_int else value
        for value, is_int in zip(entry, whole, strict=True)
    )
    if any(value in options[:index] for index, value in enumerate(options)):
        raise SpecError(f"{where} = {entry} names a value twice")
    return Choice(options)


def _range(where: str, kind: str, entry: dict[str, Any]) -> Range:
    if kind not in ("int", "float"):
        name = where.removeprefix("space.")
        raise SpecError(f"{where}: {name} is not a number; write a list of values")
    try:
        table = TypeAdapter(_RangeTable).validate_python(entry, strict=True)
    except ValidationError as error:
        last = error.errors()[-1]  # of an integer or a float, what a float should be
        raise SpecError(f"{where}: {last['loc'][0]}: {last['msg']}") from None
    low, high, step = _number(where, table.low), _number(where, table.high), table.step
    if not low < high:
        raise SpecError(f"{where}: low = {table.low} must be below high = {table.high}")
    if kind == "int" and (low != int(low) or high != int(high)):
        raise SpecError(f"{where}: low and high must be whole numbers")
    if table.log and low <= 0:
        raise SpecError(f"{where}: log = true needs low above 0, not {table.low}")
    if step is not None and (table.log or not 0 < step <= high - low):
        raise SpecError(f"{where}: step = {step} must be within the range, and not with log")
    if kind == "int" and step is not None and step != int(step):
        raise SpecError(f"{where}: step = {step} must be a whole number")
    prior = None if table.prior is None else _number(where, table.prior)
    parsed = Range("int" if kind == "int" else "float", low, high, table.log, step, prior)
    if step is not None and not _on_grid(parsed, high):
        raise SpecError(f"{where}: high = {table.high} is no whole number of steps above low")
    whole = kind != "int" or prior is None or prior == int(prior)
    if prior is not None and not (whole and contains(parsed, prior)):
        raise SpecError(f"{where}: prior = {table.prior} must be one of its own values")
    return parsed


def _number(where: str, value: float) -> float:
    """Return a number as a float, which no integer of hundreds of digits is."""
    try:
        return float(value)
    except OverflowError:
        raise SpecError(f"{where}: an integer of {len(str(value))} digits is too large") from None


def _on_grid(dimension: Range, value: float) -> bool:
    """Whether a value lies a whole number of steps from ``low``."""
    steps = (value - dimension.low) / (dimension.step or 1.0)
    return abs(steps - round(steps)) < 1e-8


def contains(dimension: Dimension, value: Any) -> bool:
    """Whether a dimension has this value."""
    if isinstance(dimension, Choice):
        return value in dimension.options
    inside = isinstance(value, (int, float)) and dimension.low <= value <= dimension.high
    return inside and (dimension.step is None or _on_grid(dimension, float(value)))
