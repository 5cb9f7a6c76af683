"""How readers print: a table for people, JSON or CSV for programs."""

import sys
from typing import Any

import click


def show(title: str, rows: Any, form: str, columns: list[str]) -> None:
    """Print one row or several; ``columns`` are those of the table."""
    from search.report.tables import as_table, render

    if form != "table":
        click.echo(render(rows, form))
        return
    from rich.console import Console

    width = None if sys.stdout.isatty() else 200
    Console(width=width).print(as_table(title, rows if isinstance(rows, list) else [rows], columns))
