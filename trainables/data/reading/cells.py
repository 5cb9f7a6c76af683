"""What a cell is as a text, and as a label: letter for letter, or refused."""

import math
from datetime import date
from decimal import Decimal

from trainables.data.reading.rows import Cell

#: Whole numbers beyond this have no float of their own.
_EXACT = 2**53


class Unusable(ValueError):
    """A cell that is neither a text nor a number; the text says what it is."""


def as_text(cell: Cell) -> str | None:
    """Return the text of a cell; None if it is missing. A list of words is a text with blanks.

    Raises:
        Unusable: it is something else.
    """
    match cell:
        case str():
            return cell
        case list() if cell and all(isinstance(one, str) for one in cell):
            return " ".join(cell)
        case _:
            return as_label(cell)


def as_label(cell: Cell) -> str | None:
    """Return the name that a label has; None if it is missing.

    A float that is whole is named as an integer is.

    Raises:
        Unusable: it is neither a text nor a number.
    """
    match cell:
        case None:
            return None
        case str():
            return cell.strip()
        case bool() | int() | date():
            return str(cell)
        case float():
            if math.isnan(cell):
                return None
            return str(int(cell)) if cell.is_integer() and abs(cell) <= _EXACT else repr(cell)
        case Decimal():
            return str(int(cell)) if cell == cell.to_integral_value() else str(cell)
        case bytes():
            try:
                return cell.decode().strip()
            except UnicodeDecodeError:
                raise Unusable("bytes that are no UTF-8") from None
        case _:
            raise Unusable(f"a {type(cell).__name__}")
