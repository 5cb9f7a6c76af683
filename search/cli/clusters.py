"""``cluster up``, ``cluster down``, ``cluster status`` and ``cluster schema``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from search.cli.options import format_option
from search.cli.output import show

if TYPE_CHECKING:
    from cluster.kinds.base import Launchable

_FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.group()
def cluster() -> None:
    """Bring the machines of a cluster file up and down, and look at them."""


@cluster.command()
@_FILE
@click.option("--dry-run", is_flag=True, help="Print the commands; run none.")
def up(file: Path, dry_run: bool) -> None:
    """Bring up what of FILE is down, to stay until 'cluster down'."""
    from cluster.kinds import read_cluster
    from search.monitor.say import say

    if dry_run:
        for command in read_cluster(file).commands():
            click.echo(command)
        return
    _launchable(file).up(say)


@cluster.command()
@_FILE
@click.option("--all", "everything", is_flag=True, help="Also those of running searches.")
def down(file: Path, everything: bool) -> None:
    """Take down what 'cluster up' has brought up, and what searches that are gone have left."""
    from search.monitor.say import say

    _launchable(file).down(say, everything)


@cluster.command()
@_FILE
@format_option
def status(file: Path, form: str) -> None:
    """Show every node that was started from FILE."""
    rows = [
        {"cluster": one.cluster, "node": one.node, "state": one.state, "folder": one.folder}
        for one in _launchable(file).status()
    ]
    if not rows and form == "table":
        click.echo("nothing is up", err=True)
        return
    show("", rows, form, ["cluster", "node", "state", "folder"])


@cluster.command()
def schema() -> None:
    """Print the JSON schema of a cluster file, for editors."""
    from cluster.settings import json_schema

    click.echo(json_schema())


def _launchable(file: Path) -> "Launchable":
    from cluster.errors import ClusterError
    from cluster.kinds import read_cluster
    from cluster.kinds.base import Launchable

    kind = read_cluster(file)
    if not isinstance(kind, Launchable):
        raise ClusterError(f"{file}: {kind} is not ours to bring up or down")
    return kind
