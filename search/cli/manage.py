"""``stop``, ``board`` and ``studies``."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from search.cli.options import format_option, results_option
from search.cli.output import show
from search.program import resume_command, study_command

if TYPE_CHECKING:
    from search.journal.folder import StudyDir


@click.command()
@click.argument("name")
@results_option
def stop(name: str, results_dir: Path) -> None:
    """Ask a running study to save and leave, on whatever machine its driver is."""
    from search.driver.signals import ask_to_stop
    from search.journal.folder import open_study_dir

    folder = open_study_dir(results_dir, name)
    finalizing = _is_finalized(folder)
    ask_to_stop(folder)
    if finalizing and folder.final_options.exists():
        options = shlex.split(folder.final_options.read_text(encoding="utf-8"))
        hint = f"go on with: {study_command('finalize', name, results_dir, *options)}"
    else:
        hint = f"resume with: {resume_command(name, results_dir)}"
    click.echo(f"{name} has stopped; {hint}", err=True)


def _is_finalized(folder: "StudyDir") -> bool:
    """Whether the driver at work is at the study's end, and not at its search."""
    from search.final.openings import Openings
    from search.journal.folder import StudyDir
    from search.journal.load import load_state

    driver = folder.running_driver()
    if driver is None:
        return False
    stages = folder.final.iterdir() if folder.final.is_dir() else ()  # with a journal or without
    if any(StudyDir(one).running_driver() == driver for one in stages if one.is_dir()):
        return True
    if not Openings(folder.openings).unfinished:
        return False
    session = load_state(folder).session  # a search leaves such an opening as it is
    return session is None or (session.pid, session.host) != (driver.pid, driver.host)


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--port", type=int, default=6006, show_default=True, help="Port on 127.0.0.1.")
@results_option
def board(names: tuple[str, ...], port: int, results_dir: Path) -> None:
    """Open TensorBoard on a study, on several, or on all, on this machine only.

    The trials of several are one table, with the study as a column.
    """
    from search.errors import StudyNotFound
    from search.journal.folder import list_studies, open_study_dir
    from search.monitor.boards import join_boards

    named = [open_study_dir(results_dir, name) for name in dict.fromkeys(names)]
    chosen = named or list_studies(results_dir)
    if not chosen:
        raise StudyNotFound(f"there are no studies in {results_dir}")
    command = [sys.executable, "-m", "search.monitor.serve_board", "--host", "127.0.0.1"]
    command += ["--port", str(port)]
    if len(chosen) == 1:
        logdir = str(chosen[0].tensorboard)
        os.execv(sys.executable, [*command, "--logdir", logdir])
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="seqtune-board-") as folder:
        join_boards(chosen, Path(folder))
        with suppress(KeyboardInterrupt):
            sys.exit(subprocess.run([*command, "--logdir", folder]).returncode)


@click.command()
@click.option("--hyperparameters", is_flag=True, help="List every hyperparameter instead.")
@click.option(
    "--task",
    default="text-classification",
    show_default=True,
    help="Whose hyperparameters: a task's name, or module:Class of your own.",
)
@format_option
def studies(hyperparameters: bool, task: str, form: str) -> None:
    """The built-in studies, or every hyperparameter a study may fix or search."""
    from search.spec.catalogue import builtin_studies, hyperparameter_rows

    declared = hyperparameter_rows(task)  # which refuses a task that there is not
    rows = declared if hyperparameters else builtin_studies()
    show("", rows, form, list(rows[0]))
