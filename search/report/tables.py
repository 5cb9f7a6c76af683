"""Rows as CSV, JSON and tables for a terminal."""

import csv
import io
import json
from typing import Any


def as_json(content: Any) -> str:
    """Format as JSON that people can read too."""
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Format rows as CSV: each hyperparameter in a column of its own, without the epochs."""
    flat = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue().rstrip("\n")


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if name == "epochs":
            continue
        if isinstance(value, dict):
            prefix = "" if name == "params" else f"{name}."
            flat |= {f"{prefix}{key}": entry for key, entry in value.items()}
        else:
            flat[name] = value
    return flat


def short(value: Any) -> str:
    """Format a value for a table's cell."""
    if value is None:
        return "–"
    if isinstance(value, dict):
        return ", ".join(f"{count} {label}" for label, count in sorted(value.items()))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def as_table(title: str, rows: list[dict[str, Any]], columns: list[str]) -> Any:
    """Make a rich table of some columns; ``params`` is spread over a column each.

    Cells are ``Text``, for rich would take words in brackets for markup.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title) if title else None, title_justify="left", header_style="bold")
    names = list(dict.fromkeys(name for row in rows for name in row.get("params", {})))
    for column in [c for c in columns if c != "params"] + (names if "params" in columns else []):
        table.add_column(Text(column.replace("_", " ") if column in columns else column))
    for row in rows:
        cells = [short(row[c]) for c in columns if c != "params"]
        if "params" in columns:
            cells += [short(row["params"].get(name)) for name in names]
        table.add_row(*map(Text, cells))
    return table


def render(rows: list[dict[str, Any]] | dict[str, Any], form: str) -> str:
    """Format one object or several as JSON or CSV."""
    if form == "json":
        return as_json(rows)
    return as_csv(rows if isinstance(rows, list) else [rows])
