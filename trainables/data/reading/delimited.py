"""Cells between commas, tabs or what the study says; a row that does not fit is refused."""

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from trainables.data.reading.opening import opened_text
from trainables.data.reading.rows import Cell, Dialect, RowFile
from trainables.data.reading.swallowed import Columns, rows_inside, swallowed_error
from trainables.errors import DataError

#: Delimiters that people use, beside the one that a suffix promises.
_OTHERS = (";", "\t", "|", ",")


def read_delimited(path: Path, dialect: Dialect, delimiter: str) -> "Delimited":
    """Open a file whose cells a suffix says to be parted by ``delimiter``.

    Raises:
        DataError: its first row cannot be read.
    """
    csv.field_size_limit(sys.maxsize)
    notes = []
    first = _first_line(path, dialect)
    if dialect.delimiter is not None:
        delimiter = dialect.delimiter
    elif delimiter not in first:
        found = next((one for one in _OTHERS if one in first), None)
        if found is not None:
            notes.append(f"{path.name}: its cells are parted by {found!r}")
            delimiter = found
    try:
        head = _first_record(path, dialect, delimiter)
    except _Malformed as error:
        if dialect.quoting != "auto" or delimiter != "\t":
            raise _stray(path, error) from error
        dialect = replace(dialect, quoting="none")
        notes.append(f"{path.name}: quotes in it are letters, as in most .tsv")
        head = _first_record(path, dialect, delimiter)
    if not dialect.header:
        names = list(map(str, range(len(head))))
        return Delimited(path, names, notes, dialect=dialect, delimiter=delimiter)
    names = [name.strip() for name in head]
    if names != head:
        notes.append(f"{path.name}: blanks around the names of columns were taken off")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(f"{str(path)!r} has two columns named {twice[0]!r}: rename one")
    return Delimited(path, names, notes, dialect=dialect, delimiter=delimiter)


def _first_line(path: Path, dialect: Dialect) -> str:
    with opened_text(path, dialect.encoding) as lines:
        return next((line for line in lines if line.strip()), "")


def _first_record(path: Path, dialect: Dialect, delimiter: str) -> list[str]:
    quoted = dialect.quoting != "none"
    record = next(_records(path, dialect, delimiter, quoted), None)
    if record is None:
        raise DataError(f"{str(path)!r} is empty")
    return record[1]


def _records(
    path: Path, dialect: Dialect, delimiter: str, quoted: bool, blank: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Yield the records that are not blank, each with the line on which it ends.

    With ``blank`` a blank line after the first record is one empty cell.
    """
    with opened_text(path, dialect.encoding) as lines:
        reader = csv.reader(
            lines,
            delimiter=delimiter,
            quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
            strict=True,
        )
        try:
            began = False
            for record in reader:
                if record or (blank and began):
                    began = True
                    yield reader.line_num, record or [""]
        except csv.Error as error:
            if "new-line character" in str(error):
                raise DataError(
                    f"{str(path)!r} line {reader.line_num}: a carriage return stands in a cell "
                    "that is not quoted: quote the cell, or take it out"
                ) from error
            raise _Malformed(reader.line_num, str(error)) from error


class _Malformed(Exception):
    """What a quote has spoilt, and the line on which that shows."""

    def __init__(self, line: int, cause: str) -> None:
        super().__init__(cause)
        self.line = line


def _stray(path: Path, error: _Malformed) -> DataError:
    return DataError(
        f"{str(path)!r}: a quote that opens a cell before line {error.line} does not close it "
        f"({error}): double quotes within quoted cells, or, if quotes are letters there, write "
        "data.quoting = 'none'"
    )


@dataclass(kw_only=True)
class Delimited(RowFile):
    """A file of delimited cells, all of them text."""

    dialect: Dialect
    delimiter: str
    _columns: Columns | None = None

    def columns(self, names: Sequence[str]) -> list[list[Cell]]:
        """Read some columns; every row must have as many cells as the first."""
        quoting = self.dialect.quoting
        try:
            read = self._read(names, quoted=quoting != "none")
            if quoting == "auto" and self.delimiter == "\t" and self._has_quotes():
                self.notes.append(
                    f"{self.path.name}: quotes around cells were taken off; if they are letters, "
                    "write data.quoting = 'none'"
                )
            return read
        except _Malformed as error:
            # Programs that write tabs seldom quote: then a quote is a letter.
            if quoting == "auto" and self.delimiter == "\t":
                self.notes.append(f"{self.path.name}: quotes in it are letters, as in most .tsv")
                return self._read(names, quoted=False)
            raise _stray(self.path, error) from error

    def _read(self, names: Sequence[str], quoted: bool) -> list[list[Cell]]:
        places = [self.names.index(name) for name in names]
        read: list[list[Cell]] = [[] for _ in names]
        self.swallowed = []
        width, last_line = len(self.names), 0
        extra: list[int] = []
        row = 0
        for line, record in _records(self.path, self.dialect, self.delimiter, quoted):
            if self.dialect.header and last_line == 0:
                last_line = line
                continue
            row += 1
            if len(record) != width:
                if len(record) != width + 1 or record[-1].strip():
                    raise self._other_width(row, line, record)
                extra.append(row)
            if quoted and line - last_line > 1:
                self._look_inside(row, record, names)
            last_line = line
            for cells, place in zip(read, places, strict=True):
                cells.append(record[place])
        if extra and len(extra) != row:
            raise self._other_width(extra[0], 0, [""] * (width + 1))
        if extra:
            self.notes.append(f"{self.path.name}: an empty cell at the end of every row is no cell")
        return read

    def sample(self, name: str, rows: int) -> list[Cell]:
        """Read the first cells of a column; a row that ends before it has an empty one."""
        place, skipped = self.names.index(name), int(self.dialect.header)
        records = _records(self.path, self.dialect, self.delimiter, self._is_quoted())
        try:
            some = [record for _, record in islice(records, skipped, skipped + rows)]
        except _Malformed as error:
            raise _stray(self.path, error) from error
        return [record[place] if place < len(record) else "" for record in some]

    def stream(self, names: Sequence[str]) -> Iterator[list[Cell]]:
        """Yield the cells of some columns row by row, as they are read; the first holds the texts.

        Every row must have as many cells as the first. Of a single column an empty line is an empty
        cell.

        Raises:
            DataError: the file is malformed; names the row, and the remedy.
        """
        places, width = [self.names.index(name) for name in names], len(self.names)
        quoted, header = self._is_quoted(), self.dialect.header
        if not quoted and self.dialect.quoting == "auto":
            self.notes.append(f"{self.path.name}: quotes in it are letters, as in most .tsv")
        last_line, extra = 0, False
        try:
            records = _records(self.path, self.dialect, self.delimiter, quoted, width == 1)
            for row, (line, record) in enumerate(records, start=0 if header else 1):
                if row == 1:
                    extra = len(record) == width + 1 and not record[-1].strip()
                if row and (len(record) != width + extra or (extra and record[-1].strip())):
                    if extra and len(record) == width:  # the rows before it are the odd ones
                        row, line, record = 1, 0, [""] * (width + 1)
                    raise self._other_width(row, line, record)
                if row and line - last_line > 1 and self.dialect.quoting == "auto":
                    self._refuse_swallowed(row, record[:width], places[0])
                last_line = line
                if row:
                    yield [record[place] for place in places]
        except _Malformed as error:
            raise _stray(self.path, error) from error

    def _is_quoted(self) -> bool:
        """Whether quotes are quotes: of a .tsv that says nothing, if they are so to its end."""
        quoting = self.dialect.quoting
        if quoting != "auto" or self.delimiter != "\t":
            return quoting != "none"
        try:
            for _ in _records(self.path, self.dialect, self.delimiter, quoted=True):
                pass
        except _Malformed:
            return False
        return True

    def _has_quotes(self) -> bool:
        with opened_text(self.path, self.dialect.encoding) as lines:
            return any('"' in line for line in lines)

    def _other_width(self, row: int, line: int, record: Sequence[str]) -> DataError:
        where = f"row {row}" + (f" (line {line})" if line else "")
        more = len(record) > len(self.names)
        remedy = (
            f"put cells that hold {self.delimiter!r} in quotes"
            if more
            else "complete it, or take it out"
        )
        return DataError(
            f"{str(self.path)!r}: {where} has {len(record)} cells, the header has "
            f"{len(self.names)}: {remedy}"
        )

    def _look_inside(self, row: int, record: Sequence[str], names: Sequence[str]) -> None:
        """Remember a row that may be several: one that reads as rows, line by line."""
        inside = rows_inside(record, self.delimiter, len(self.names))
        if inside:
            places = {name: self.names.index(name) for name in names}
            rows = [{name: cells[i].strip() for name, i in places.items()} for cells in inside]
            self.swallowed.append((row, rows))

    def _refuse_swallowed(self, row: int, record: Sequence[str], text: int) -> None:
        """Refuse a row that is several: each of its lines has the cells that other rows have.

        Raises:
            DataError: names the row.
        """
        inside = rows_inside(record, self.delimiter, len(self.names))
        if not inside:
            return
        if self._columns is None:
            records = _records(self.path, self.dialect, self.delimiter, quoted=True)
            self._columns = Columns((one for _, one in records), len(self.names), text)
        if self._columns.have(inside):
            more = "; if it is one text, 'double'"
            raise swallowed_error(self.path, row, len(inside), more)
