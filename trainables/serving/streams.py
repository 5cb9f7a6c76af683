"""Texts of a file of any size, one after the other, and what is said of them into another."""

import csv
import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from trainables.data.choosing import TEXT_COLUMNS, choose_text
from trainables.data.reading.cells import Unusable, as_text
from trainables.data.reading.delimited import read_delimited
from trainables.data.reading.formats import FORMATS, format_of, is_known
from trainables.data.reading.opening import opened_text
from trainables.data.reading.parquet import read_parquet
from trainables.data.reading.rows import Cell, Dialect
from trainables.errors import DataError

_LINES = (".jsonl", ".ndjson")

#: Rows of a Parquet file that are in memory at a time.
_ROWS = 4096


def read_stream(place: str, column: str | None) -> Iterator[str]:
    """Yield the texts of a file, in order; a row without one yields an empty text.

    ``-`` is standard input, and of it as of a ``.txt`` file each line is a text. Other files are
    read as data sets are: csv, tsv, json, jsonl or parquet, compressed or not.

    Raises:
        DataError: it is no such file, is empty, is malformed, or has no such column.
    """
    if place == "-":
        return (line.rstrip("\n") for line in sys.stdin)
    path = Path(place).expanduser()
    if not path.is_file():
        raise DataError(f"there is no file {str(path)!r}")
    if path.stat().st_size == 0:
        raise DataError(f"{str(path)!r} is empty")
    kind = format_of(path)
    if kind == ".txt":
        return _lines(path)
    if not is_known(path):
        known = ", ".join([*FORMATS, ".txt"])
        raise DataError(f"{str(path)!r} has no suffix that tells its format: {known}")
    return _texts(_cells(path, kind, column), path)


def _lines(path: Path) -> Iterator[str]:
    with opened_text(path, None) as lines:
        for line in lines:
            yield line.rstrip("\r\n")


def _cells(path: Path, kind: str, column: str | None) -> Iterator[Cell]:
    dialect = Dialect()
    if kind in _LINES:
        return _of_json_lines(path, column)
    if kind == ".parquet":
        parquet = read_parquet(path, dialect)
        return parquet.stream(choose_text(parquet, column), _ROWS)
    if kind in (".csv", ".tsv"):
        delimited = read_delimited(path, dialect, "," if kind == ".csv" else "\t")
        return delimited.stream(choose_text(delimited, column))
    rows = FORMATS[kind](path, dialect)
    return iter(rows.columns([choose_text(rows, column)])[0])


def _of_json_lines(path: Path, column: str | None) -> Iterator[Cell]:
    with opened_text(path, None) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{str(path)!r} line {number} is no JSON: {error}") from error
            if not isinstance(row, dict):
                raise DataError(f"{str(path)!r} line {number} is no object with named cells")
            column = column or next((name for name in TEXT_COLUMNS if name in row), None)
            if column is None:
                named = ", ".join(list(row)[:20])
                raise DataError(
                    f"{str(path)!r} has no column that looks like the text; it has: {named}: name "
                    "it with --text"
                )
            yield row.get(column)


def _texts(cells: Iterator[Cell], path: Path) -> Iterator[str]:
    for number, cell in enumerate(cells, start=1):
        try:
            yield as_text(cell) or ""
        except Unusable as error:
            raise DataError(
                f"row {number} of {str(path)!r} has {error} where a text should be: name another "
                "column with --text"
            ) from error


class RowWriter(ABC):
    """A file of rows that is there as a whole in the end, or not at all."""

    def __init__(self, path: Path) -> None:
        self.path, self._beside = path, path.with_name(f".{path.name}.{os.getpid()}.writing")

    @abstractmethod
    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows, all of the same columns."""

    @abstractmethod
    def _close(self) -> None:
        """Flush and close what is beside."""

    def __enter__(self) -> "RowWriter":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._close()
        if kind is None:
            os.replace(self._beside, self.path)
        else:
            self._beside.unlink(missing_ok=True)


class JsonLines(RowWriter):
    """One object a line."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file: IO[str] = self._beside.open("w", encoding="utf-8")

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write a line a row."""
        for row in rows:
            self._file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def _close(self) -> None:
        self._file.close()


class Csv(RowWriter):
    """Cells between commas; of an object, a column a key."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file: IO[str] = self._beside.open("w", encoding="utf-8", newline="")
        self._writer: Any = None

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write a line a row, behind the names of the columns."""
        for row in map(flat, rows):
            if self._writer is None:
                self._writer = csv.DictWriter(self._file, list(row), lineterminator="\n")
                self._writer.writeheader()
            self._writer.writerow(row)

    def _close(self) -> None:
        self._file.close()


class Parquet(RowWriter):
    """Typed columns; of an object, a column a key."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._writer: Any = None

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows as a group."""
        import pyarrow
        import pyarrow.parquet

        table = pyarrow.Table.from_pylist([flat(row) for row in rows])
        if self._writer is None:
            self._writer = pyarrow.parquet.ParquetWriter(str(self._beside), table.schema)
        self._writer.write_table(table)

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row in which each key of an object is a column: ``probabilities.good``."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{key}": one for key, one in value.items()}
        else:
            found[name] = value
    return found


_WRITERS: dict[str, type[RowWriter]] = {".jsonl": JsonLines, ".csv": Csv, ".parquet": Parquet}


def writer_of(path: Path) -> RowWriter:
    """Return what writes a file, by its suffix.

    Raises:
        DataError: none does, or its folder cannot be written.
    """
    made = _WRITERS.get(path.suffix.lower())
    if made is None:
        raise DataError(f"--output {path}: its suffix must be one of {', '.join(_WRITERS)}")
    try:
        return made(path)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from error
