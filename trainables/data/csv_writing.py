"""Cells between commas, written so that whatever reads them finds them again."""

import csv
from collections.abc import Sequence
from typing import Protocol


class _Stream(Protocol):
    def write(self, text: str, /) -> object: ...


class _Lines:
    """Ends each row by a newline alone."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    def write(self, row: str) -> None:
        """Write a row, which Python's writer gives as one piece."""
        self._stream.write(row.removesuffix("\r\n") + "\n")


def csv_writer(stream: _Stream, names: Sequence[str]) -> "csv.DictWriter[str]":
    r"""Return what writes rows of these columns.

    Python 3.11's writer quotes of ``\n`` and ``\r`` only what ends its rows, and a reader takes a
    ``\r`` without quotes for the end of one. So both end a row, until ``_Lines`` has it.
    """
    return csv.DictWriter(_Lines(stream), names, lineterminator="\r\n")
