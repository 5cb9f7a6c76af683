"""``finalize``: from a study's best configurations to one honest figure, and its model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from search.cli.options import Duration, as_typed, results_option
from search.program import study_command

if TYPE_CHECKING:
    from search.journal.folder import StudyDir


@click.command()
@click.argument("name")
@click.option("--top", type=click.IntRange(1), help="Configurations; 3, or as many as before.")
@click.option("--seeds", type=click.IntRange(2), help="Of each; 5, or as many as before.")
@click.option("--explain", is_flag=True, help="Train the way from the baseline to the winner, too.")
@click.option("--force", is_flag=True, help="Open the test part again; it stays on record.")
@click.option("--time-budget", type=Duration(), help="Wall clock of this call: 30m, 1h30m.")
@click.option("--max-concurrent", type=int, help="Trials at a time, at most.")
@click.option("--cpus-per-trial", type=int, help="CPU cores (and threads) of one trial.")
@click.option("--gpus-per-trial", type=float, help="GPUs, or a share of one, of one trial.")
@click.option(
    "--cluster",
    default="local",
    show_default=True,
    help="local, a cluster file, or HOST:PORT of Ray.",
)
@results_option
def finalize(
    name: str,
    top: int | None,
    seeds: int | None,
    explain: bool,
    force: bool,
    results_dir: Path,
    **options: Any,
) -> None:
    """Train the best of study NAME with several seeds, and score the winner on the test part, once.

    The best configurations are ranked by their mean over validation texts. The winner and the
    baseline ([baseline] of the study file, or the first configuration) are then trained on training
    and validation texts together. Killed at any moment, the same command goes on.

    --explain also trains the way from the baseline to the winner, one hyperparameter at a time, and
    says what each step gained on validation texts. Asked for later, it opens nothing.
    """
    from search.cli.sessions import carry_out
    from search.driver.plan import Options
    from search.driver.signals import Interrupter
    from search.final.finalize import Request
    from search.final.finalize import finalize as carry_to_its_end
    from search.final.openings import Openings
    from search.journal.folder import open_study_dir
    from search.journal.load import load_state
    from trainables.storage import default_cache

    folder = open_study_dir(results_dir, name)
    recorded, left = len(Openings(folder.openings).lines), ("time_budget", "results_dir")
    typed, unforced = as_typed(left), as_typed((*left, "force"))

    def go_on() -> str:
        """Name the command, without --force once the test part is open: it would open it again."""
        due = len(Openings(folder.openings).lines) == recorded
        options = typed if due else unforced
        return f"go on with: {study_command('finalize', name, results_dir, *options)}"

    interrupter = Interrupter(options["time_budget"], go_on)
    request = Request(top, seeds, explain, force, Options(**options), typed)
    carry_out(
        lambda: carry_to_its_end(folder, load_state(folder), request, default_cache(), interrupter),
        interrupter,
        folder,
        lambda result, hint: _tell(result, folder),
        halted="",
    )


def _tell(result: dict[str, Any], folder: "StudyDir") -> None:
    from search.report.final import final_lines

    for line in final_lines(result):
        click.echo(line)
    click.echo(f"model: {folder.model}")
