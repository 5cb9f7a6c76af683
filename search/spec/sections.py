"""A section of a study file, validated by its model: what is wrong in it, in one line."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from search.errors import SpecError
from trainables.errors import did_you_mean

Section = TypeVar("Section", bound=BaseModel)


def parse_section(kind: type[Section], table: Any, name: str) -> Section:
    """Validate one section's table.

    Raises:
        SpecError: the first thing that is wrong, and where.
    """
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        raise SpecError(explain(error, kind, name)) from None


def explain(error: ValidationError, root: type[BaseModel], section: str = "") -> str:
    """Return the first problem in one line: where it is, and what would be right."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part not in ("SplitNames",)]
    place = [part for part in place if not part.startswith(("tuple[", "function-"))]
    where = ".".join([section, *place] if section else place)
    if first["type"] == "extra_forbidden":
        model: Any = root
        for part in place[:-1]:
            model = model.model_fields[part].annotation if model else None
        known = list(model.model_fields) if model else []
        return f"unknown key {where!r}: {did_you_mean(place[-1], known)}"
    if first["type"] == "missing":
        return f"{where!r} is missing"
    message = first["msg"].removeprefix("Value error, ")
    given = first["input"]
    value = f" = {given!r}" if where and isinstance(given, (int, float)) else ""
    return f"{where}{value}: {message}" if where else message
