"""How a model's scores are printed."""

from typing import Any

import click

from search.cli.output import show


def show_scores(scores: dict[str, Any], form: str) -> None:
    """Print scores: as one JSON object, as CSV of the figures, or as tables."""
    figures = [{"metric": name, **figure} for name, figure in scores["figures"].items()]
    if form == "json":
        show("", scores, form, [])
    elif form == "csv":
        show("", figures, form, [])
    else:
        _as_tables(scores, figures)


def _as_tables(scores: dict[str, Any], figures: list[dict[str, Any]]) -> None:
    for note in scores["notes"]:
        click.echo(f"note: {note}", err=True)
    left = f", {scores['left_out']} left out" if scores["left_out"] else ""
    seen = f"{scores['in_training']} are texts that it was trained on or chosen by{left}"
    part = f" ({scores['part']})" if scores["part"] else ""
    title = f"{scores['texts']:,} texts of {scores['data']}{part}; {seen}"
    show(title, figures, "table", ["metric", "value", "low", "high"])
    if scores["classes"]:
        columns = ["name", "texts", "precision", "recall", "f1"]
        show("each class", scores["classes"], "table", columns)
    if scores["reliability"]:
        title = f"calibration: expected error {scores['ece']:.3f}"
        columns = ["low", "high", "texts", "confidence", "accuracy"]
        show(title, scores["reliability"], "table", columns)
