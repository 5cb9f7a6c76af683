"""Names of classes that a program wrote as floats: ``1.0`` beside a gap, ``1`` elsewhere."""

import re
from collections.abc import Mapping
from dataclasses import replace

from trainables.data.tables.table import Table

#: A whole number as pandas writes it where another row has none.
_WHOLE = re.compile(r"(-?\d+)\.0+")
_INTEGER = re.compile(r"-?\d+")


def is_whole_float(label: str) -> bool:
    """Whether a label is a whole number that is written with decimals."""
    return _WHOLE.fullmatch(label) is not None


def without_decimals(label: str) -> str:
    """Return a whole number without its decimals, and any other label as it is."""
    found = _WHOLE.fullmatch(label)
    return found.group(1) if found else label


def name_whole_numbers(tables: Mapping[str, Table]) -> tuple[dict[str, Table], list[str]]:
    """Return tables whose classes ``1.0`` and ``2.0`` are named ``1`` and ``2``, and a note.

    All tables are as they were if a file has other labels too: ``1.5``, or both ``1.0`` and ``1``.
    The names are for classes only, since ``250.000`` may be a quarter of a million.
    """
    files = [set(labels) for table in tables.values() for labels in table.labels_by_file()]
    floats = [labels for labels in files if labels and all(map(is_whole_float, labels))]
    if not floats or not all(
        labels in floats or all(map(_INTEGER.fullmatch, labels)) for labels in files
    ):
        return dict(tables), []
    named = {
        part: replace(table, labels=list(map(without_decimals, table.labels)))
        for part, table in tables.items()
    }
    first = min(floats[0])
    return named, [f"labels such as {first!r} are named as {without_decimals(first)!r} is"]
