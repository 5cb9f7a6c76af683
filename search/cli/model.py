"""Commands about one trained model: ``export`` and ``predict``."""

from pathlib import Path

import click

from search.cli.options import data_settings_option, format_option, results_option


@click.command()
@click.argument("model")
@click.option("--trial", type=click.IntRange(0), help="Of a study: which trial's model.")
@click.option(
    "--to",
    "form",
    type=click.Choice(["safetensors", "onnx", "torch-export"]),
    default="safetensors",
    show_default=True,
    help="The format; the last two run without this project.",
)
@click.option("--int8", is_flag=True, help="With onnx: eight bits a weight, too. Needs --data.")
@click.option("--data", metavar="SOURCE", help="Labelled texts to measure the loss by eight bits.")
@click.option(
    "--labels", "pairs", multiple=True, metavar="LABEL=CLASS", help="What a label in --data means."
)
@data_settings_option("--data")
@click.option("--output", type=click.Path(path_type=Path), help="The folder to write.")
@results_option
def export(
    model: str,
    trial: int | None,
    form: str,
    int8: bool,
    data: str | None,
    pairs: tuple[str, ...],
    settings: tuple[str, ...],
    output: Path | None,
    results_dir: Path,
) -> None:
    """Write MODEL (a folder, or a study) in a format that others read.

    With --trial, MODEL is a study, and the model of one of its trials is taken.
    """
    from search.final.exporting import Request, export_to
    from search.spec.overrides import data_for_model

    if int8 != (data is not None) or (int8 and form != "onnx"):
        raise click.UsageError("--int8 goes with --to onnx and --data, and --data with --int8")
    if (pairs or settings) and data is None:
        raise click.UsageError("--labels and --set are about --data")
    labelled = None if data is None else data_for_model(data, settings)
    for line in export_to(Request(model, trial, form, labelled, pairs, output), results_dir):
        click.echo(line)


@click.command()
@click.argument("model")
@click.argument("texts", metavar="[TEXT]...", nargs=-1)
@click.option(
    "--input", "source", metavar="FILE", help="csv, tsv, json, jsonl, parquet, txt, or - for lines."
)
@click.option("--text", "column", metavar="COLUMN", help="The column of the texts in --input.")
@click.option(
    "--keep",
    multiple=True,
    metavar="COLUMN",
    help="A column of --input to copy to json, csv and --output.",
)
@data_settings_option("--input")
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
    keep: tuple[str, ...],
    settings: tuple[str, ...],
    output: Path | None,
    explain: bool,
    threads: int | None,
    form: str,
    results_dir: Path,
) -> None:
    """What MODEL (a folder, or a study that was finalised) says of texts."""
    from search.cli.predictions import check_format, write_rows
    from search.final.models import find_model
    from search.final.predicting import Request, predictions
    from search.spec.overrides import written_of
    from trainables.serving.streams import Source

    if not texts and source is None:
        raise click.UsageError("give texts, or a file with --input")
    if texts and source is not None:
        raise click.UsageError("give either texts or --input")
    check_format(form, output)
    if source is not None and output is not None and Path(source).expanduser().exists():
        place = output.expanduser()
        if place.exists() and place.samefile(Path(source).expanduser()):
            raise click.UsageError("--output is the --input itself: name another file")
    if (column is not None or settings or keep) and source is None:
        raise click.UsageError("--text, --keep and --set are about --input")
    named = () if column is None else (f"data.text={column}",)
    text, dialect = written_of((*settings, *named))
    folder = find_model(model, results_dir)
    file = None if source is None else Source(source, text, keep, dialect)
    request = Request(folder, texts, file, explain, threads)
    write_rows(predictions(request), form, output)


@click.command()
@click.argument("model")
@click.option("--data", metavar="SOURCE", required=True, help="File, folder or hub data set.")
@click.option("--part", help="Which part of it; its test part by default, if it has one.")
@click.option(
    "--labels",
    "pairs",
    multiple=True,
    metavar="LABEL=CLASS",
    help="The class of the model that a label in the data means.",
)
@data_settings_option("the data")
@click.option("--include-training", is_flag=True, help="Score texts that it was trained on too.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads; all by default.")
@format_option
@results_option
def evaluate(
    model: str,
    data: str,
    part: str | None,
    pairs: tuple[str, ...],
    settings: tuple[str, ...],
    include_training: bool,
    threads: int | None,
    form: str,
    results_dir: Path,
) -> None:
    """Score MODEL (a folder, or a study that was finalised) over labelled texts.

    Figures carry 95 % intervals over texts. Texts that it was trained on, or chosen
    by, are counted and left out.
    """
    from search.cli.scores import show_scores
    from search.final.evaluating import Request, evaluate_model
    from search.final.models import find_model
    from search.spec.overrides import data_for_model
    from trainables.storage import default_cache

    spec, folder = data_for_model(data, settings), find_model(model, results_dir)
    request = Request(folder, spec, part, pairs, include_training, threads)
    show_scores(evaluate_model(request, default_cache()), form)
