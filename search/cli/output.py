"""How readers print: a table for people, JSON or CSV for programs."""

import sys
from collections.abc import Sequence
from typing import Any

import click

#: Wide enough that no table is ever folded for a program that reads one from a pipe.
_PIPE_WIDTH = 100_000


#: More rows are plain lines, whatever the terminal.
_MANY = 300


def show(title: str, rows: Any, form: str, columns: list[str], heads: Sequence[str] = ()) -> None:
    """Print one row, or several, of which a generator is taken as it comes where it can be.

    ``columns`` are those of the table, and ``heads`` those that CSV has whatever the rows do.
    """
    from search.report.tables import as_csv, as_json, as_lines, json_pieces

    single = isinstance(rows, dict)
    if form == "json" and single:
        click.echo(as_json(rows, ascii_only=not speaks_unicode()))
    elif form == "json":
        for piece in json_pieces(rows, ascii_only=not speaks_unicode()):
            click.echo(piece, nl=False)
    elif form == "csv":
        rows = [rows] if single else list(rows)
        click.echo(as_csv(rows, heads if rows or heads else columns))
    elif single or len(rows := list(rows)) <= _MANY:
        _draw(title, rows, columns)
    else:
        for line in as_lines(title, rows, columns):
            click.echo(line)


def _draw(title: str, rows: Any, columns: list[str]) -> None:
    from rich.console import Console

    from search.report.tables import as_record, as_table

    terminal = sys.stdout.isatty()
    console = Console() if terminal else Console(width=_PIPE_WIDTH)
    if isinstance(rows, list):
        table = as_table(title, rows, columns, console.width if terminal else None)
    else:
        table = as_record(title, rows, columns)
    console.print(table, soft_wrap=not terminal)


def speaks_unicode() -> bool:
    """Whether stdout takes every character."""
    return (sys.stdout.encoding or "ascii").lower().replace("-", "").startswith("utf")


def never_fail_on_a_character() -> None:
    """Let streams of a narrow encoding show an escape for what they cannot print."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
