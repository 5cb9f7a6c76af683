"""Commands that only read, such as ``status`` and ``trials``."""

import time
from pathlib import Path
from typing import Any

import click

from search.cli.options import format_option, results_option
from search.cli.output import show


@click.command()
@click.argument("name", required=False)
@click.option("--watch", is_flag=True, help="Print again every two seconds until it is over.")
@format_option
@results_option
def status(name: str | None, watch: bool, form: str, results_dir: Path) -> None:
    """Where a study, or every study, stands."""
    from search.report.outlook import sentences
    from search.report.rows import STATUS_HEADS, failure_causes

    columns = ["study", "state", "total", "counts", "best"]
    known: dict[str, Any] = {}
    while True:
        rows, states = _statuses(name, results_dir, known)
        show("", rows[0] if name else rows, form, columns, STATUS_HEADS)
        for state in states if form == "table" else []:
            for cause, numbers in failure_causes(state).items():
                click.echo(f"{state.created.name}: {len(numbers)} failed: {cause}")
            for sentence in sentences(state) if name else []:
                click.echo(sentence)
        if not watch or all(row["state"] != "running" for row in rows):
            return
        time.sleep(2)


def _statuses(
    name: str | None, results: Path, known: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[Any]]:
    """A row for each study, and the states of those that can be read.

    ``known`` is what was loaded before, by name: only what is new is read.
    """
    from search.errors import JournalDamaged
    from search.journal.folder import list_studies, open_study_dir
    from search.journal.load import load
    from search.report.rows import damaged_row, status_row

    rows, states = [], []
    for folder in [open_study_dir(results, name)] if name else list_studies(results):
        try:
            known[folder.name] = load(folder, known.pop(folder.name, None))
            states.append(known[folder.name].state)
            rows.append(status_row(folder, states[-1]))
        except JournalDamaged as error:
            if name:
                raise
            click.echo(f"seqtune: {error}", err=True)
            rows.append(damaged_row(folder))
    return rows, states


@click.command()
@click.argument("name")
@format_option
@results_option
def trials(name: str, form: str, results_dir: Path) -> None:
    """All trials of a study, in number order."""
    from search.journal.folder import open_study_dir
    from search.journal.load import load_state
    from search.report.rows import table_row, trial_heads, trial_row

    folder = open_study_dir(results_dir, name)
    state, running = load_state(folder), folder.running_driver() is not None
    make = trial_row if form == "json" else table_row
    rows = (make(trial, state, running, folder) for trial in state.trials)
    columns = ["number", "state", "value", "best_epoch", "epoch", "params"]
    show(f"{name}: {state.objective.metric}", rows, form, columns, trial_heads(state))


@click.command()
@click.argument("name")
@format_option
@results_option
def best(name: str, form: str, results_dir: Path) -> None:
    """The best trial of a study."""
    from search.journal.folder import open_study_dir
    from search.journal.load import load_state
    from search.report.rows import BEST_HEADS, best_row, trial_heads

    folder = open_study_dir(results_dir, name)
    state = load_state(folder)
    row = best_row(state, folder.running_driver() is not None, folder)
    columns = ["number", "state", "value", "best_epoch", "params", "checkpoint"]
    show(f"{name}: {row['metric']}", row, form, columns, trial_heads(state, BEST_HEADS))


@click.command()
@click.argument("name")
@results_option
def report(name: str, results_dir: Path) -> None:
    """Write the study's report anew and print its path."""
    from search.errors import SpecError
    from search.journal.folder import open_study_dir
    from search.journal.load import load_state
    from search.report.markdown import write_report

    folder = open_study_dir(results_dir, name)
    state, running = load_state(folder), folder.running_driver() is not None
    try:
        write_report(folder, state, running)
    except OSError as error:
        raise SpecError(f"cannot write {folder.report}: {error.strerror}") from error
    click.echo(results_dir / name / folder.report.name)


@click.command()
@click.argument("name")
@click.option("--trial", type=click.IntRange(0), help="What went wrong in one trial.")
@results_option
def logs(name: str, trial: int | None, results_dir: Path) -> None:
    """What the drivers of a study said, or the warnings and errors of one trial."""
    from search.errors import StudyNotFound
    from search.journal.folder import open_study_dir
    from search.journal.load import load_state

    folder = open_study_dir(results_dir, name)
    made = len(load_state(folder).trials)
    if trial is not None and trial >= made:
        raise StudyNotFound(f"study {name!r} has no trial {trial}: it has made {made}")
    path = folder.driver_log if trial is None else folder.root / folder.trial_log(trial)
    if path.exists():
        click.echo(path.read_text(encoding="utf-8", errors="replace"), nl=False)
    else:
        click.echo(f"nothing was logged in {path}", err=True)


@click.command()
@click.argument("name")
@click.argument("word")
@click.option("--count", type=click.IntRange(1), default=10, show_default=True, help="How many.")
@format_option
@results_option
def neighbours(name: str, word: str, count: int, form: str, results_dir: Path) -> None:
    """The words nearest to WORD in the best trial's embedding, with their cosine."""
    from search.journal.folder import open_study_dir
    from search.journal.load import load_state
    from search.report.neighbours import nearest_words
    from trainables.storage import default_cache

    folder = open_study_dir(results_dir, name)
    rows = nearest_words(folder, load_state(folder), word, count, default_cache())
    show(f"{name}: {word}", rows, form, ["word", "cosine"])


@click.command()
@click.argument("name")
@click.option(
    "--set",
    "settings",
    multiple=True,
    required=True,
    metavar="stopping.KEY=VALUE",
    help="The stopping rule to try.",
)
@format_option
@results_option
def replay(name: str, settings: tuple[str, ...], form: str, results_dir: Path) -> None:
    """What another stopping would have done with a study's trials, from its journal alone.

    Trials are met one after the other. One that would have been trained further than the study did
    is unknown from there on, unless it was audited (stopping.audit).
    """
    from search.journal.folder import open_study_dir
    from search.journal.load import load_state
    from search.report.early_stopping import replay_rows
    from search.spec.overrides import other_stopping

    state = load_state(open_study_dir(results_dir, name))
    rows = replay_rows(state, other_stopping(state.spec.stopping, settings))
    others = ("max_epochs", "losers", "keep_paused")
    changed = [key for key in others if len({row[key] for row in rows}) > 1]
    columns = ["rule", "grace_epochs", "reduction_factor", *changed, "completed", "epochs"]
    columns += ["hours", "unknown", "best", "value"]
    show(f"{name}: {len(state.trials)} trials", rows, form, columns)
