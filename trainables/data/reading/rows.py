"""What every format gives: the names of its columns, and the cells of some of them."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from trainables.data.suffixes import UNREAD
from trainables.errors import DataError

#: Whatever a format holds in a cell; ``cells`` says what becomes of it.
Cell = Any


@dataclass(frozen=True)
class Dialect:
    """How files of text are written, where the study says; None or ``auto`` to find out.

    Attributes:
        encoding: a codec of Python's; UTF-8, or what a byte order mark says, by default.
        delimiter: between cells.
        quoting: ``double`` where a cell may be quoted, and a quote in it is doubled; ``none`` where
            quotes are letters.
        header: whether the first row names the columns.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quoting: Literal["auto", "double", "none"] = "auto"
    header: bool = True


def refuse_unread(dialect: Dialect, kinds: Collection[str], place: str) -> None:
    """Refuse settings that no file of these formats has.

    Raises:
        DataError: names one.
    """
    for setting in UNREAD[".parquet"]:
        given = getattr(dialect, setting) != getattr(Dialect(), setting)
        if given and all(setting in UNREAD.get(kind, ()) for kind in kinds):
            raise DataError(
                f"data.{setting} has no effect: {place!r} is {' and '.join(sorted(kinds))}; take "
                "it out"
            )


@dataclass
class RowFile(ABC):
    """One file of rows, numbered from 1 as they stand.

    Attributes:
        path: the file.
        names: its columns, in order.
        notes: what was done that a person should know.
        swallowed: for each row that may have swallowed others by a stray quote, its number and the
            rows that stand in it line by line.
    """

    path: Path
    names: list[str]
    notes: list[str] = field(default_factory=list)
    swallowed: list[tuple[int, list[dict[str, str]]]] = field(default_factory=list)

    @abstractmethod
    def columns(self, names: Sequence[str]) -> list[list[Cell]]:
        """Read some columns.

        Raises:
            DataError: the file is malformed; names the row, and the remedy.
        """

    def sample(self, name: str, rows: int) -> list[Cell]:
        """Read the first cells of a column; whether the file is sound shows when it is read."""
        (cells,) = self.columns([name])
        return cells[:rows]

    def objects(self) -> dict[str, list[str]]:
        """Return the columns that hold objects, each with the names in it."""
        return {}
