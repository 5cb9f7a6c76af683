"""``init``: a study file for one's own data."""

from pathlib import Path

import click

from search.cli.options import data_settings_option


@click.command()
@click.argument("data")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; by default the data's name with .toml.",
)
@data_settings_option("the data")
def init(data: str, output: Path | None, settings: tuple[str, ...]) -> None:
    """Look at DATA (a file, a folder, a data set of the hub) and write a study file for it."""
    from search.driver.new_study_file import write_study_file

    for line in write_study_file(data, settings, output):
        click.echo(line, err=True)
