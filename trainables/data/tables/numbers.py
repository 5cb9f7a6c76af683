"""Labels that are numbers, as people write them."""

import math
import re

import numpy as np
from numpy.typing import NDArray

from trainables.data.spec import DataSpec
from trainables.data.tables.table import Table
from trainables.errors import DataError


def read_numbers(table: Table, spec: DataSpec) -> NDArray[np.float64]:
    """Return the labels as numbers, as the study says that they are written.

    Raises:
        DataError: one is no finite number; names the row, and the remedy.
    """
    return np.array([_number(i, table, spec) for i in range(len(table.labels))], dtype=np.float64)


def parse_number(label: str, spec: DataSpec) -> float:
    """Return a label as a number, as the study says that it is written; it may be infinite or NaN.

    Raises:
        ValueError: it is none.
    """
    written = label
    if spec.thousands and spec.thousands in written:
        mark = re.escape(spec.thousands)
        grouped = rf"[+-]?\d{{1,3}}({mark}\d{{2,3}})*{mark}\d{{3}}({re.escape(spec.decimal)}\d+)?"
        # 12,50 is no 1250.
        written = written.replace(spec.thousands, "") if re.fullmatch(grouped, written) else "_"
    if spec.decimal != ".":
        written = written.replace(".", "_").replace(spec.decimal, ".")  # a point is then no number
    if "_" in written:  # which Python would take for a mark between digits
        raise ValueError(f"{label!r} is no number")
    return float(written)


def _number(index: int, table: Table, spec: DataSpec) -> float:
    label = table.labels[index]
    try:
        value = parse_number(label, spec)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"label {label!r} in {table.where(index)} is not a finite number: {_remedy(label)}"
        )
    return value


def _remedy(label: str) -> str:
    """Return what to do about a label that is no number, by how it looks."""
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", label):
        return "if commas part thousands, write data.thousands = ','"
    if re.fullmatch(r"[+-]?\d+,\d+", label):
        return "if the comma is a decimal one, write data.decimal = ','"
    if label.endswith("%"):
        return "write it without the percent sign"
    if re.fullmatch(r"(?i)n/?a|nan|null|none|missing|-+|\?", label):
        return f"if it stands for a missing one, write data.missing = [{label!r}]"
    return "is data.label the right column? For classes, use a classification task"
