"""Texts of a file of any size, one after the other."""

import io
import sys
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import cast

from trainables.data.choosing import choose_text
from trainables.data.reading.cells import Unusable, as_text
from trainables.data.reading.delimited import read_delimited
from trainables.data.reading.formats import FORMATS, format_of, is_known
from trainables.data.reading.json_rows import cell_of, of_objects, stream_json
from trainables.data.reading.opening import marked_encoding, opened_text
from trainables.data.reading.parquet import read_parquet
from trainables.data.reading.rows import Cell, Dialect
from trainables.errors import DataError

_LINES = (".jsonl", ".ndjson")

#: Rows of a Parquet file that are in memory at a time; and of lines of JSON, those that tell its
#: columns.
_ROWS = 4096


def read_stream(place: str, column: str | None, dialect: Dialect) -> Iterator[str]:
    """Yield the texts of a file, in order; a row without one yields an empty text.

    ``-`` is standard input, and of it as of a ``.txt`` file each line is a text. Other files are
    read as data sets are: csv, tsv, json, jsonl or parquet, compressed or not.

    Raises:
        DataError: it is no such file, is empty, is malformed, or has no such column.
    """
    if place == "-":
        return _of_input(dialect)
    path = Path(place).expanduser()
    if path.is_dir():
        raise DataError(f"{str(path)!r} is a folder: name a file in it")
    if not path.is_file():
        raise DataError(f"there is no file {str(path)!r}")
    if path.stat().st_size == 0:
        raise DataError(f"{str(path)!r} is empty")
    kind = format_of(path)
    if kind == ".txt":
        return _lines(path, dialect)
    if not is_known(path):
        known = ", ".join([*FORMATS, ".txt"])
        raise DataError(f"{str(path)!r} has no suffix that tells its format: {known}")
    return _texts(_cells(path, kind, column, dialect), path)


def _of_input(dialect: Dialect) -> Iterator[str]:
    """Yield the lines of standard input, as a file of them would be read."""
    content = io.BufferedReader(cast(io.RawIOBase, sys.stdin.buffer))
    began = content.peek(4)[:4]
    if began.startswith(b"\x1f\x8b"):
        raise DataError("the input is compressed: unpack it on the way, with gzip -dc")
    encoding = dialect.encoding or marked_encoding(began) or "utf-8"
    lines = io.TextIOWrapper(content, encoding=encoding, newline="\n")
    try:
        for line in lines:
            yield line.rstrip("\r\n")
    except UnicodeError as error:
        raise DataError(
            f"the input is not {encoding}: say what it is with --set data.encoding=NAME"
        ) from error


def _lines(path: Path, dialect: Dialect) -> Iterator[str]:
    with opened_text(path, dialect.encoding) as lines:
        for line in lines:
            yield line.rstrip("\r\n")


def _cells(path: Path, kind: str, column: str | None, dialect: Dialect) -> Iterator[Cell]:
    if kind in _LINES:
        return _of_json_lines(path, column, dialect)
    if kind == ".parquet":
        parquet = read_parquet(path, dialect)
        return parquet.stream(choose_text(parquet, column), _ROWS)
    if kind in (".csv", ".tsv"):
        delimited = read_delimited(path, dialect, "," if kind == ".csv" else "\t")
        return delimited.stream(choose_text(delimited, column))
    rows = FORMATS[kind](path, dialect)
    return iter(rows.columns([choose_text(rows, column)])[0])


def _of_json_lines(path: Path, column: str | None, dialect: Dialect) -> Iterator[Cell]:
    rows = stream_json(path, dialect)
    first = list(islice(rows, _ROWS))
    name = choose_text(of_objects(path, first), column)
    for number, row in enumerate(chain(first, rows), start=1):
        if not isinstance(row, dict):
            raise DataError(f"{str(path)!r}: row {number} is no object with named cells")
        yield cell_of(row, name)


def _texts(cells: Iterator[Cell], path: Path) -> Iterator[str]:
    for number, cell in enumerate(cells, start=1):
        try:
            yield as_text(cell) or ""
        except Unusable as error:
            raise DataError(
                f"row {number} of {str(path)!r} has {error} where a text should be: name another "
                "column with --text"
            ) from error
