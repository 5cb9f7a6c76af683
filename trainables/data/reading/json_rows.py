"""Rows as JSON: one object a line, or one document that holds them in one of the usual shapes."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.data.reading.opening import opened_text
from trainables.data.reading.rows import Cell, Dialect, RowFile
from trainables.errors import DataError

_SHAPES = "a list of objects, or one object a line"


def read_json(path: Path, dialect: Dialect) -> "JsonRows":
    """Open a document, or lines.

    Raises:
        DataError: it is no JSON, or holds no rows that could be told for certain.
    """
    with opened_text(path, dialect.encoding) as file:
        text = file.read()
    try:
        document = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise DataError(f"{str(path)!r} is no JSON: {error}") from error
        # Not by splitlines: a text may hold U+2028 unescaped.
        return of_objects(path, list(_lines(path, text.split("\n"))))
    except RecursionError as error:
        raise DataError(f"{str(path)!r} is nested too deeply for rows") from error
    except ValueError as error:  # an equal key, or a number of thousands of digits
        raise DataError(f"{str(path)!r}: {error}") from error
    is_document = ".json" in [suffix.lower() for suffix in path.suffixes]
    if isinstance(document, dict) and "\n" not in text.strip() and not is_document:
        document = [document]  # one row in a file of lines
    return of_objects(path, _rows(path, document))


def stream_json(path: Path, dialect: Dialect) -> Iterator[Any]:
    """Yield what each line holds.

    Raises:
        DataError: one is no JSON.
    """
    with opened_text(path, dialect.encoding) as lines:
        yield from _lines(path, lines)


def _lines(path: Path, lines: Iterable[str]) -> Iterator[Any]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield json.loads(line, object_pairs_hook=_object)
        except (json.JSONDecodeError, RecursionError) as error:
            raise DataError(f"{str(path)!r} line {number} is no JSON: {error}") from error
        except ValueError as error:
            raise DataError(f"{str(path)!r} line {number}: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; Python's own reader keeps the last of equal keys in silence."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"an object has the key {twice!r} twice: keep one of them")
    return found


def _rows(path: Path, document: Any) -> list[Any]:
    """Return the rows of a document: a list, or one of the shapes that libraries write."""
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        raise DataError(f"{str(path)!r} holds no rows: write {_SHAPES}")
    lists = [key for key, value in document.items() if _is_table(value)]
    if len(lists) == 1 and not any(
        isinstance(value, list) for key, value in document.items() if key != lists[0]
    ):
        return list(document[lists[0]])  # {"version": 1, "data": [{…}, …]}
    values = list(document.values())
    if set(document) >= {"columns", "data"}:  # pandas' "split"
        return _split(path, document["columns"], document["data"])
    if values and all(isinstance(value, list) for value in values):
        if len({len(value) for value in values}) > 1:
            raise DataError(f"{str(path)!r}: its columns differ in length")
        return [dict(zip(document, row, strict=True)) for row in zip(*values, strict=True)]
    if values and all(isinstance(value, dict) for value in values):
        return _of_mappings(path, document)
    raise DataError(f"{str(path)!r}: its rows cannot be told for certain: write {_SHAPES}")


def _split(path: Path, columns: Any, rows: Any) -> list[Any]:
    """Return the rows that stand beside the names of their columns."""
    if not isinstance(columns, list) or not isinstance(rows, list):
        raise DataError(f"{str(path)!r}: its columns and data are no lists: write {_SHAPES}")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list) or len(row) != len(columns):
            raise DataError(f"{str(path)!r}: row {number} has not {len(columns)} cells")
    return [dict(zip(map(str, columns), row, strict=True)) for row in rows]


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _of_mappings(path: Path, document: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    """Return rows that stand by their id, or columns of cells by their row (pandas' default).

    Rows of one table have the same keys, and there are more rows than columns.
    """
    inner = {key for value in document.values() for key in value}
    by_id = all(set(value) == inner for value in document.values())
    if by_id and len(inner) < len(document):
        return list(document.values())
    if len(document) < len(inner):
        order = list(dict.fromkeys(row for cells in document.values() for row in cells))
        return [{name: cells.get(row) for name, cells in document.items()} for row in order]
    raise DataError(f"{str(path)!r}: rows by id or by column? Write {_SHAPES}")


def of_objects(path: Path, rows: list[Any]) -> "JsonRows":
    """Return rows as a file of them.

    Raises:
        DataError: one is no object.
    """
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise DataError(
                f"{str(path)!r}: row {number} is a {type(row).__name__}, not an object with named "
                "cells"
            )
    names = list(dict.fromkeys(name for row in rows for name in row))
    return JsonRows(path, names, rows=rows)


@dataclass(kw_only=True)
class JsonRows(RowFile):
    """Objects; a cell that a row lacks is missing."""

    rows: list[dict[str, Any]]

    def columns(self, names: Sequence[str]) -> list[list[Cell]]:
        """Read some columns; ``a.b`` is the cell ``b`` of an object ``a``."""
        return [[cell_of(row, name) for row in self.rows] for name in names]

    def objects(self) -> dict[str, list[str]]:
        """Return the columns of objects, by the first row that has one."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            for name, cell in row.items():
                if isinstance(cell, dict) and name not in found:
                    found[name] = list(cell)
        return found


def cell_of(row: Any, name: str) -> Cell:
    """Return the cell of a row, ``a.b`` of an object ``a``; None where it has none."""
    if not isinstance(row, dict):
        return None
    if name in row:
        return row[name]
    outer, _, inner = name.partition(".")
    return cell_of(row.get(outer), inner) if inner else None
