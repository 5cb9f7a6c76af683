"""Texts of a file of any size, one after the other."""

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, cast

from trainables.data.reading.cells import Unusable, as_label, as_text
from trainables.data.reading.delimited import read_delimited
from trainables.data.reading.formats import FORMATS, format_of, is_known
from trainables.data.reading.json_rows import cell_of, of_objects, stream_json
from trainables.data.reading.opening import encoding_of, opened_text
from trainables.data.reading.parquet import read_parquet
from trainables.data.reading.rows import Cell, Dialect, RowFile, refuse_unread
from trainables.data.tables.choosing import choose_kept, choose_text
from trainables.errors import DataError

_LINES = (".jsonl", ".ndjson")

#: Rows of a Parquet file that are in memory at a time; and of lines of JSON, those that tell its
#: columns.
_ROWS = 4096


@dataclass(frozen=True)
class Source:
    """A file of texts.

    Attributes:
        place: its path; ``-`` is standard input.
        column: of the texts; None for the customary one.
        kept: other columns that are to stand beside what is said.
        dialect: how it is written.
    """

    place: str
    column: str | None
    kept: tuple[str, ...]
    dialect: Dialect


class Row(NamedTuple):
    """A text, and what stands beside it."""

    text: str
    kept: dict[str, str | None]


def read_stream(source: Source, note: Callable[[str], object] = str) -> Iterator[Row]:
    """Yield the texts of a file, in order; a row without one yields an empty text.

    Of standard input as of a ``.txt`` file each line is a text. Other files are read as data sets
    are: csv, tsv, json, jsonl or parquet, compressed or not. ``note`` is told what a person should
    know of how it is read, once the first row is.

    Raises:
        DataError: it is no such file, is empty, is malformed, or has no such column.
    """
    if source.place == "-":
        refuse_unread(source.dialect, [".txt"], "the input")
        return _of_lines(source, _input(source.dialect))
    path = Path(source.place).expanduser()
    if path.is_dir():
        raise DataError(f"{str(path)!r} is a folder: name a file in it")
    if not path.is_file():
        raise DataError(f"there is no file {str(path)!r}")
    if path.stat().st_size == 0:
        raise DataError(f"{str(path)!r} is empty")
    kind = format_of(path)
    refuse_unread(source.dialect, [kind], source.place)
    if kind == ".txt":
        return _of_lines(source, _lines(path, source.dialect))
    if not is_known(path):
        known = ", ".join([*FORMATS, ".txt"])
        raise DataError(f"{str(path)!r} has no suffix that tells its format: {known}")
    return _rows(_cells(path, kind, source, note), path, source.kept)


def _of_lines(source: Source, lines: Iterator[str]) -> Iterator[Row]:
    if source.column is not None or source.kept:
        raise DataError("lines of text have no columns: leave --text and --keep out")
    return (Row(line, {}) for line in lines)


def _input(dialect: Dialect) -> Iterator[str]:
    """Yield the lines of standard input, as a file of them would be read."""
    content = io.BufferedReader(cast(io.RawIOBase, sys.stdin.buffer))
    began = content.peek(4)[:4]
    if began.startswith(b"\x1f\x8b"):
        raise DataError("the input is compressed: unpack it on the way, with gzip -dc")
    encoding = encoding_of(dialect.encoding, began) or "utf-8"
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


def _cells(
    path: Path, kind: str, source: Source, note: Callable[[str], object]
) -> Iterator[list[Cell]]:
    """Yield the cells of each row: the text's, then those that are kept."""
    dialect = source.dialect
    if kind in _LINES:
        return _of_json_lines(path, source, note)
    if kind == ".parquet":
        parquet = read_parquet(path, dialect)
        return _noted(parquet, parquet.stream(_columns(parquet, source), _ROWS), note)
    if kind in (".csv", ".tsv"):
        delimited = read_delimited(path, dialect, "," if kind == ".csv" else "\t")
        return _noted(delimited, delimited.stream(_columns(delimited, source)), note)
    rows = FORMATS[kind](path, dialect)
    cells = map(list, zip(*rows.columns(_columns(rows, source)), strict=True))
    return _noted(rows, cells, note)


def _noted(
    file: RowFile, cells: Iterator[list[Cell]], note: Callable[[str], object]
) -> Iterator[list[Cell]]:
    """Yield cells, and pass on what was noted of their file by the first row of them."""
    first = next(cells, None)
    for one in dict.fromkeys(file.notes):
        note(one)
    if first is not None:
        yield first
        yield from cells


def _columns(file: RowFile, source: Source) -> list[str]:
    return [choose_text(file, source.column), *(choose_kept(file, name) for name in source.kept)]


def _of_json_lines(
    path: Path, source: Source, note: Callable[[str], object]
) -> Iterator[list[Cell]]:
    rows = stream_json(path, source.dialect)
    first = list(islice(rows, _ROWS))
    file = of_objects(path, first)
    names = _columns(file, source)
    for one in dict.fromkeys(file.notes):
        note(one)
    for number, row in enumerate(chain(first, rows), start=1):
        if not isinstance(row, dict):
            raise DataError(f"{str(path)!r}: row {number} is no object with named cells")
        yield [cell_of(row, name) for name in names]


def _rows(cells: Iterator[list[Cell]], path: Path, kept: Sequence[str]) -> Iterator[Row]:
    for number, (text, *others) in enumerate(cells, start=1):
        try:
            yield Row(as_text(text) or "", dict(zip(kept, map(as_label, others), strict=True)))
        except Unusable as error:
            raise DataError(
                f"row {number} of {str(path)!r} has {error} where a text should be: name another "
                "column with --text or --keep"
            ) from error
