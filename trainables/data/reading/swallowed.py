"""Rows that a pair of stray quotes has swallowed: they stand in one record, line by line."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from trainables.errors import DataError

#: So many rows say what stands in a column.
_SAMPLE = 10_000


def rows_inside(record: Sequence[str], delimiter: str, width: int) -> list[list[str]]:
    """Return the rows that a record of several lines may be: each has so many cells; else none."""
    text = delimiter.join(record)
    inside = [line.rstrip("\r").split(delimiter) for line in text.split("\n")]
    return inside if len(inside) > 1 and all(len(cells) == width for cells in inside) else []


def swallowed_error(path: Path, row: int, count: int, more: str = "") -> DataError:
    """Return the error about a row that is several."""
    return DataError(
        f"{str(path)!r}: row {row} holds {count} rows: a quote opens a cell there, and another "
        "closes it further down. Double quotes within quoted cells, or, if quotes are letters, "
        f"write data.quoting = 'none'{more}"
    )


class Columns:
    """What stands in the columns beside the texts: names as they are, and numbers by their form."""

    def __init__(self, records: Iterable[Sequence[str]], width: int, text: int) -> None:
        """Look at some records; ``text`` is the place of the texts, of which nothing is known."""
        self._known: dict[int, set[str]] = {place: set() for place in range(width) if place != text}
        for _, record in zip(range(_SAMPLE), records, strict=False):
            if not any("\n" in cell for cell in record):
                for place, known in self._known.items():
                    known.add(_form(record[place]) if place < len(record) else "")

    def have(self, rows: Sequence[Sequence[str]]) -> bool:
        """Whether all cells of these rows, beside the texts, are as those of other rows are."""
        return bool(self._known) and all(
            _form(cells[place]) in known for cells in rows for place, known in self._known.items()
        )


def _form(cell: str) -> str:
    """Return a cell; one with digits, such as a number, a date or an id, by its form."""
    cell = cell.strip()
    if not re.search(r"\d", cell):
        return cell
    return re.sub(r"\d+", "9", re.sub(r"[^\W\d]+", "a", cell))
