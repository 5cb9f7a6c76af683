"""A section of a study file, validated by its model: what is wrong in it, in one line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from search.errors import SpecError
from trainables.errors import did_you_mean

Section = TypeVar("Section", bound=BaseModel)

#: What a value of another type should be, in the words of a study file.
_REMEDIES = {
    "dict_type": "write a table",
    "model_type": "write a table",
    "tuple_type": "write a list",
}

#: Of a longer number the first digits are told.
_MOST_DIGITS = 40


def parse_section(kind: type[Section], table: Any, name: str) -> Section:
    """Validate one section's table.

    Raises:
        SpecError: the first thing that is wrong, and where.
    """
    check_kinds(kind, table, name)
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        raise SpecError(explain(error, kind, name)) from None


def check_kinds(kind: type[BaseModel], table: Any, section: str = "") -> None:
    """Refuse ``true`` for a number, and a text for ``true`` or a number, in tables within this one,
    too.

    Pydantic would take one for the other.

    Raises:
        SpecError: there is one.
    """
    for name, value in table.items() if isinstance(table, Mapping) else ():
        kinds = _members_of(kind, name)
        where = f"{section}.{name}" if section else str(name)
        for one in filter(_is_model, kinds):
            check_kinds(one, value, where)
        if isinstance(value, bool) and bool not in kinds and (int in kinds or float in kinds):
            raise SpecError(f"{where} = {str(value).lower()}: write a number")
        if isinstance(value, str) and bool in kinds and str not in kinds:
            raise SpecError(f"{where} = {value!r}: write true or false, without quotation marks")
        if isinstance(value, str) and kinds and {*map(_bare, kinds)} <= {int, float}:
            raise SpecError(f"{where} = {value!r}: write a number, without quotation marks")


@dataclass(frozen=True)
class _Problem:
    """One error of pydantic's, where it stands in the file.

    Attributes:
        place: keys from the section down.
        table: the model that the last key belongs to, where there is one.
    """

    place: tuple[str, ...]
    table: type[BaseModel] | None
    kind: str
    message: str
    given: Any


def wants_text(kind: type[BaseModel], name: str) -> bool:
    """Whether a key of a table takes a text, and neither a number nor ``true``."""
    kinds = _members_of(kind, name)
    return any(_bare(one) is str for one in kinds) and not {bool, int, float} & {*kinds}


def explain(error: ValidationError, root: type[BaseModel], section: str = "") -> str:
    """Return the first problem in one line: where it is, and what would be right."""
    first = _most_telling([_problem(one, root) for one in error.errors()])
    where = ".".join([section, *first.place] if section else first.place)
    if first.kind == "extra_forbidden":
        known = list(first.table.model_fields) if first.table else []
        return f"unknown key {where!r}: {did_you_mean(first.place[-1], known)}"
    if first.kind == "missing":
        return f"{where!r} is missing"
    message = _REMEDIES.get(first.kind, first.message.removeprefix("Value error, "))
    value = f" = {_cut(first.given)}" if where and isinstance(first.given, (int, float)) else ""
    return f"{where}{value}: {message}" if where else message


def _most_telling(problems: Sequence[_Problem]) -> _Problem:
    """Return the first problem, or one that says more of the same place.

    Each branch of a union has problems. A branch of the value's own type has them within the value.
    And a key that is misspelt is missing as well.
    """
    first = problems[0]
    if first.kind.endswith("_type"):
        depth = len(first.place)
        within = [one for one in problems if one.place[:depth] == first.place]
        first = next((one for one in within if not one.kind.endswith("_type")), first)
    if first.kind == "missing":
        beside = [one for one in problems if one.place[:-1] == first.place[:-1]]
        first = next((one for one in beside if one.kind == "extra_forbidden"), first)
    return first


def _problem(error: ErrorDetails, root: type[BaseModel]) -> _Problem:
    place: list[str] = []
    owner: type[BaseModel] | None = None
    table: type[BaseModel] | None = root
    branches: tuple[Any, ...] = ()
    for part in error["loc"]:
        if branches:  # behind the key of a union stands the name of a branch, which no file has
            table = next((one for one in branches if _is_model(one) and one.__name__ == part), None)
            branches = ()
            continue
        place.append(str(part))
        owner = table
        members = _members_of(table, part)
        table = members[0] if len(members) == 1 and _is_model(members[0]) else None
        branches = members if len(members) > 1 else ()
    return _Problem(tuple(place), owner, error["type"], error["msg"], error["input"])


def _members_of(table: type[BaseModel] | None, key: Any) -> tuple[Any, ...]:
    """Return the types that a key of a table may have, without None."""
    field = table.model_fields.get(str(key)) if table else None
    if field is None:
        return ()
    union = get_origin(field.annotation) in (Union, UnionType)
    members = get_args(field.annotation) if union else (field.annotation,)
    return tuple(one for one in members if one is not NoneType)


def _bare(kind: Any) -> Any:
    """Return a type without its annotations."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _cut(number: float) -> str:
    """Return a number as it is written, and of hundreds of digits the first."""
    text = repr(number)
    return text if len(text) <= _MOST_DIGITS else f"{text[:_MOST_DIGITS]}…"
