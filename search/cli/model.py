"""Commands about one trained model: ``export`` and ``predict``."""

from pathlib import Path

import click

from search.cli.options import format_option, results_option


@click.command()
@click.argument("name")
@click.option("--trial", type=click.IntRange(0), required=True, help="Which trial's model.")
@click.option("--output", type=click.Path(path_type=Path), help="The folder to write.")
@results_option
def export(name: str, trial: int, output: Path | None, results_dir: Path) -> None:
    """Write the model of a trial of study NAME, by itself: weights, tokenizer, labels, card."""
    from search.final.handover import hand_over
    from search.journal.folder import open_study_dir
    from search.journal.load import load_state
    from trainables.storage import default_cache

    folder = open_study_dir(results_dir, name)
    out = output or results_dir / name / "models" / f"trial-{trial:04d}"
    hand_over(folder, load_state(folder), trial, out.expanduser(), default_cache())
    click.echo(out)


@click.command()
@click.argument("model")
@click.argument("texts", metavar="[TEXT]...", nargs=-1)
@click.option(
    "--input", "source", metavar="FILE", help="csv, tsv, json, jsonl, parquet, txt, or - for lines."
)
@click.option("--text", "column", metavar="COLUMN", help="The column of the texts in --input.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="A .jsonl, .csv or .parquet file to write."
)
@click.option("--explain", is_flag=True, help="Weigh each token by leaving it out.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads; all by default.")
@format_option
@results_option
def predict(
    model: str,
    texts: tuple[str, ...],
    source: str | None,
    column: str | None,
    output: Path | None,
    explain: bool,
    threads: int | None,
    form: str,
    results_dir: Path,
) -> None:
    """What MODEL (a folder, or a study that was finalised) says of texts."""
    from search.cli.predictions import write_rows
    from search.final.models import find_model
    from search.final.predicting import Request, predictions

    if bool(texts) == (source is not None):
        raise click.UsageError("give texts, or a file with --input")
    if column is not None and source is None:
        raise click.UsageError("--text names a column of --input")
    request = Request(find_model(model, results_dir), texts, source, column, explain, threads)
    write_rows(predictions(request), form, output)
