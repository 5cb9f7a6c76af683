"""How predictions are printed: as a table, one object a line, or CSV; or written to a file."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from search.cli.output import speaks_unicode
from trainables.data.csv_writing import csv_writer
from trainables.serving.rows import plain, writer_of

#: Characters of a text that a table shows.
_SHOWN = 60


#: What a file holds that is written in a format of the terminal's.
_SUFFIXES = {"json": ".jsonl", "csv": ".csv"}


def check_format(form: str, output: Path | None) -> None:
    """Refuse a format that was asked for where the file's name says another."""
    source = click.get_current_context().get_parameter_source("form")
    if output is None or source is ParameterSource.DEFAULT:
        return
    if _SUFFIXES.get(form) != output.suffix.lower():
        raise click.UsageError(
            f"--output {output} is written as its name ends, and --format {form} is of what is "
            "printed: leave one out"
        )


def write_rows(rows: Iterator[list[dict[str, Any]]], form: str, output: Path | None) -> None:
    """Write predictions to a file, or to the terminal as one object a line, CSV, or a table."""
    if output is not None:
        with writer_of(output.expanduser()) as file:
            for some in rows:
                file.write(some)
        click.echo(output)
        return
    show = {"json": _as_lines, "csv": _as_csv, "table": _as_table}[form]
    show(rows)


def _as_lines(rows: Iterator[list[dict[str, Any]]]) -> None:
    ascii_only = not speaks_unicode()
    for some in rows:
        for row in some:
            click.echo(json.dumps(row, ensure_ascii=ascii_only))


def _as_csv(rows: Iterator[list[dict[str, Any]]]) -> None:
    writer = None
    for some in rows:
        for row in map(plain, some):
            if writer is None:
                writer = csv_writer(sys.stdout, list(row))
                writer.writeheader()
            writer.writerow(row)
        sys.stdout.flush()  # who reads along sees a chunk as soon as it is known


def _as_table(rows: Iterator[list[dict[str, Any]]]) -> None:
    from search.report.tables import as_lines

    for some in rows:
        shown = [{"text": _cut(row["text"]), **_best(row)} for row in some]
        for line in as_lines("", shown, list(shown[0])):
            click.echo(line)
        for row in some:
            if "tokens" in row:
                click.echo(f"{_cut(row['text'])}\n  moved by: {_moving(row['tokens'])}")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def _best(row: dict[str, Any]) -> dict[str, Any]:
    if "value" in row:
        return {"value": row["value"]}
    return {"label": row["label"], "probability": row["probabilities"][row["label"]]}


def _moving(tokens: list[dict[str, Any]]) -> str:
    """Say which tokens speak most for the decision, and which against it."""
    ranked = sorted(tokens, key=lambda one: -abs(one["gain"]))[:8]
    return ", ".join(f"{one['token']} {one['gain']:+.3f}" for one in ranked)
