"""Rows as CSV, JSON and tables for a terminal."""

import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from trainables.data.csv_writing import csv_writer

#: A figure that needs more is written with an exponent.
_MOST_DECIMALS = 12


def as_json(content: Any, ascii_only: bool = False) -> str:
    """Format as JSON that people can read too."""
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=ascii_only)


def json_pieces(rows: Iterable[dict[str, Any]], ascii_only: bool = False) -> Iterator[str]:
    """Format rows as one JSON list, piece by piece: ten thousand trials need not fit in memory."""
    opening = "["
    for row in rows:
        yield opening + "".join(f"\n {line}" for line in as_json(row, ascii_only).split("\n"))
        opening = ","
    yield "[]\n" if opening == "[" else "\n]\n"


def as_csv(rows: Iterable[dict[str, Any]], heads: Sequence[str] = ()) -> str:
    """Format rows as CSV: each hyperparameter in a column of its own, without the epochs.

    ``heads`` stand first, whatever is in the rows. What is inside an object has a column of its
    own too, named with a dot; a list is JSON.
    """
    flat = [_flat(row) for row in rows]
    names = list(dict.fromkeys([*heads, *(name for row in flat for name in row)]))
    whole = {name[:at] for name in names for at, letter in enumerate(name) if letter == "."}
    empty = {name for name in whole if all(row.get(name) is None for row in flat)}
    names = [name for name in names if name not in empty]
    out = io.StringIO()
    writer = csv_writer(out, names)
    writer.writeheader()
    writer.writerows({name: row.get(name) for name in names} for row in flat)
    return out.getvalue().rstrip("\n")


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            plain = name == "params"
            flat |= {
                key if plain and key not in row else f"{name}.{key}": entry
                for key, entry in _flat(value).items()
            }
        elif not isinstance(value, list):
            flat[name] = value
        elif name != "epochs":
            flat[name] = json.dumps(value, ensure_ascii=False)
    return flat


def short(value: Any) -> str:
    """Format a value for a table's cell."""
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{count} {label}" for label, count in sorted(value.items()))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def figure(value: float, scale: float | None = None, sign: str = "") -> str:
    """Format a figure with four decimals, or as many as show four digits of one as large as
    ``scale``, itself by default. ``sign`` is ``+`` where gains are told from losses."""
    size = abs(value if scale is None else scale)
    decimals = 4
    if size and math.isfinite(size):
        decimals = max(decimals, 3 - math.floor(math.log10(size)))
    return format(value, f"{sign}z.{decimals}f" if decimals <= _MOST_DECIMALS else f"{sign}.3e")


def chance(share: float) -> str:
    """Format a chance that was counted over a thousand draws, which show nothing as certain."""
    if share > 0.99:
        return "over 99%"
    return "under 1%" if share < 0.01 else f"{share:.0%}"


def as_table(title: str, rows: list[dict[str, Any]], columns: list[str], width: int | None) -> Any:
    """Make a rich table of some columns, at most ``width`` wide; None for any width.

    ``params`` is spread over a column each, or stands in one column where these do not fit. Cells
    are ``Text``, for rich would take words in brackets for markup.
    """
    names = list(dict.fromkeys(name for row in rows for name in row.get("params", {})))
    heads = [column.replace("_", " ") for column in columns if column != "params"]
    cells = [[short(row[column]) for column in columns if column != "params"] for row in rows]
    if "params" in columns:
        values = [[short(row["params"].get(name)) for name in names] for row in rows]
        spread = [[*heads, *names], *(own + more for own, more in zip(cells, values, strict=True))]
        if width is None or _width(spread) <= width:
            heads, cells = spread[0], spread[1:]
        else:
            heads = [*heads, "hyperparameters"]
            pairs = (zip(names, more, strict=True) for more in values)
            listed = [", ".join(f"{name} {value}" for name, value in some) for some in pairs]
            cells = [[*own, text] for own, text in zip(cells, listed, strict=True)]
    return _drawn(title, heads, cells)


def as_lines(title: str, rows: list[dict[str, Any]], columns: list[str]) -> Iterator[str]:
    """Format many rows as plain aligned lines; a drawn table of ten thousand takes ten seconds."""
    names = list(dict.fromkeys(name for row in rows for name in row.get("params", {})))
    plain = [column for column in columns if column != "params"]
    spread = names if "params" in columns else []
    cells = [[*(column.replace("_", " ") for column in plain), *spread]]
    for row in rows:
        values = [row["params"].get(name) for name in spread]
        cells.append([short(value) for value in [*(row[column] for column in plain), *values]])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if title:
        yield title
    for line in cells:
        yield "  ".join(
            cell.ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()


def as_record(title: str, row: dict[str, Any], columns: list[str]) -> Any:
    """Make a rich table of one object: a line for each column, and for each of its ``params``."""
    lines = [[column.replace("_", " "), short(row[column])] for column in columns if column in row]
    if "params" in columns:
        lines = [line for line in lines if line[0] != "params"]
        lines += [[name, short(value)] for name, value in row["params"].items()]
    return _drawn(title, ["", ""], lines)


def _width(lines: list[list[str]]) -> int:
    """Return the columns of a terminal that a table takes: a frame and two blanks to each cell."""
    widest = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return sum(widest) + 3 * len(widest) + 1


def _drawn(title: str, heads: list[str], cells: list[list[str]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title) if title else None,
        title_justify="left",
        header_style="bold",
        show_header=any(heads),
    )
    for head in heads:
        table.add_column(Text(head), overflow="fold")
    for line in cells:
        table.add_row(*map(Text, line))
    return table
