"""``doctor``: checks this machine, or every node of a cluster."""

from collections.abc import Iterator
from pathlib import Path

import click

from search.cli.options import results_option


@click.command()
@click.option("--cluster", default="local", show_default=True, help="A cluster file, or HOST:PORT.")
@results_option
def doctor(cluster: str, results_dir: Path) -> None:
    """Check this machine, or every node of a cluster, as a search does before its first trial."""
    from cluster.kinds import parse_cluster
    from search.driver.doctor import check_cluster_nodes, check_this_machine

    kind = parse_cluster(cluster)
    lines = (
        check_this_machine(kind, results_dir)
        if kind.is_this_machine
        else check_cluster_nodes(kind, results_dir)
    )
    click.get_current_context().exit(1 if _show(lines) else 0)


def _show(lines: Iterator[tuple[bool, str]]) -> bool:
    """Print what was found as it is found; return whether something is at fault."""
    faulty = False
    for is_fault, text in lines:
        faulty |= is_fault
        click.echo(f"{'FAULT' if is_fault else 'ok   '} {text}")
    return faulty
