"""The command line: parses, calls, prints. Heavy imports happen inside the commands."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from search.cli.options import format_option, launch_options, results_option


class _Group(click.Group):
    """Turns every error meant for a person into one clear message and its exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        from cluster.errors import ClusterError
        from trainables.errors import SeqtuneError

        try:
            return super().invoke(ctx)
        except (SeqtuneError, ClusterError) as error:
            click.echo(f"seqtune: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted; nothing was begun", err=True)
            ctx.exit(130)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="seqtune")
def main() -> None:
    """Finds the best recurrent network for your texts: many LSTM trials in parallel on Ray, chosen
    by Optuna, losers stopped early, everything resumable."""


@main.command()
@click.argument("study")
@click.option("--name", help="Name of the study; the study file's own by default.")
@launch_options
def run(study: str, results_dir: Path, dry_run: bool, **options: Any) -> None:
    """Search: STUDY is a built-in name (see 'seqtune studies') or a TOML file."""
    from search.driver.plan import Options, new_study, plan_session
    from search.driver.session import start
    from search.driver.signals import Interrupter

    given = Options(**options)
    spec = new_study(study, given)
    plan = plan_session(spec, given)
    if dry_run:
        from search.driver.dry_run import describe
        from search.journal.folder import check_free

        check_free(results_dir, spec.name)
        click.echo(describe(spec, plan))
        return
    interrupter = Interrupter(
        plan.time_budget, _how_to_resume(spec.name, results_dir, given.cluster)
    )
    _carry_out(lambda: start(spec, results_dir, plan, interrupter), interrupter, results_dir)


@main.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Search differently from here on, or over other data.")
@click.option("--take-over", is_flag=True, help="The driver on another host is known to be dead.")
@launch_options
def resume(
    name: str, results_dir: Path, dry_run: bool, force: bool, take_over: bool, **options: Any
) -> None:
    """Go on with a study that was interrupted, or extend a finished one with --trials."""
    from dataclasses import replace

    from search.driver.plan import Options, changed_study, plan_session
    from search.driver.session import resume as go_on
    from search.driver.signals import Interrupter
    from search.journal.folder import open_study_dir
    from search.journal.state import replay
    from search.report.rows import load_events

    given = Options(**options)
    folder = open_study_dir(results_dir, name)
    past = load_events(folder)
    change = changed_study(replay(past), given, force)
    plan = replace(plan_session(change.spec, given, change.texts), take_over=take_over, force=force)
    if dry_run:
        from search.driver.dry_run import describe

        click.echo(describe(change.spec, plan, past))
        return
    interrupter = Interrupter(plan.time_budget, _how_to_resume(name, results_dir, given.cluster))
    _carry_out(lambda: go_on(folder, plan, interrupter), interrupter, results_dir)


def _how_to_resume(name: str, results: Path, cluster: str = "local") -> Callable[[], str]:
    """The exact command, as long as there is something to resume."""
    import shlex

    from search.journal.folder import StudyDir

    command = ["seqtune", "resume", name]
    command += [] if results == Path("results") else ["--results-dir", str(results)]
    command += [] if cluster == "local" else ["--cluster", cluster]
    folder = StudyDir(results.absolute() / name)
    return lambda: f"resume with: {shlex.join(command)}" if folder.exists() else ""


def _carry_out(session: Callable[[], Any], interrupter: Any, results: Path) -> None:
    """Runs a session and prints what came of it: results on stdout, the rest on stderr."""
    from search.driver.signals import Halt
    from search.errors import NoFiniteResult, StudyFailed
    from search.journal.folder import StudyDir

    try:
        with interrupter.listening():
            outcome = session()
    except Halt as halt:
        click.echo(f"{halt.reason} before the search began; {interrupter.resume_hint()}", err=True)
        sys.exit(halt.exit_code)
    except (StudyFailed, OSError) as error:
        raise StudyFailed(f"{error}\n{interrupter.resume_hint()}") from error
    state = outcome.state
    folder = StudyDir(results / state.created.name)
    best = state.best()
    if best is not None:
        epoch = best.best_epoch(state.spec.mode)
        click.echo(f"best trial {best.number}: {state.spec.metric} {epoch.value:.4f}")
        click.echo(f"report: {folder.report}")
    if outcome.reason != "finished":
        done = f"{state.ended} of {state.total} trials done"
        click.echo(f"{outcome.reason}; {done}; {interrupter.resume_hint()}", err=True)
    elif best is None:
        raise NoFiniteResult(f"all {state.total} trials ended without a finite result")
    sys.exit(outcome.exit_code)


@main.command()
@click.argument("name")
@results_option
def stop(name: str, results_dir: Path) -> None:
    """Ask a running study on this machine to save and leave, as Ctrl-C does."""
    from search.driver.stopping import ask_to_stop
    from search.journal.folder import open_study_dir

    ask_to_stop(open_study_dir(results_dir, name))
    click.echo(f"{name} has stopped; {_how_to_resume(name, results_dir)()}", err=True)


@main.command()
@click.argument("name", required=False)
@click.option("--watch", is_flag=True, help="Print again every two seconds until it is over.")
@format_option
@results_option
def status(name: str | None, watch: bool, form: str, results_dir: Path) -> None:
    """Where a study, or every study, stands."""
    import time

    from search.errors import JournalDamaged
    from search.journal.folder import list_studies, open_study_dir
    from search.report.rows import damaged_row, failure_causes, load_state, status_row

    while True:
        chosen = [open_study_dir(results_dir, name)] if name else list_studies(results_dir)
        states, rows = [], []
        for folder in chosen:
            try:
                states.append(load_state(folder))
                rows.append(status_row(folder, states[-1]))
            except JournalDamaged as error:
                if name:
                    raise
                click.echo(f"seqtune: {error}", err=True)
                rows.append(damaged_row(folder))
        _show("", rows[0] if name else rows, form, ["study", "state", "total", "counts", "best"])
        for state in states if form == "table" else []:
            for cause, numbers in failure_causes(state).items():
                click.echo(f"{state.created.name}: {len(numbers)} failed: {cause}")
        if not watch or all(row["state"] != "running" for row in rows):
            return
        time.sleep(2)


@main.command()
@click.argument("name")
@format_option
@results_option
def trials(name: str, form: str, results_dir: Path) -> None:
    """All trials of a study, in number order."""
    from search.journal.folder import open_study_dir
    from search.report.rows import load_state, trial_row

    folder = open_study_dir(results_dir, name)
    state, running = load_state(folder), folder.running_driver() is not None
    rows = [trial_row(trial, state, running, folder) for trial in state.trials]
    columns = ["number", "state", "value", "best_epoch", "epoch", "params"]
    _show(f"{name}: {state.spec.metric}", rows, form, columns)


@main.command()
@click.argument("name")
@format_option
@results_option
def best(name: str, form: str, results_dir: Path) -> None:
    """The best trial of a study."""
    from search.journal.folder import open_study_dir
    from search.report.rows import best_row, load_state

    folder = open_study_dir(results_dir, name)
    row = best_row(load_state(folder), folder.running_driver() is not None, folder)
    columns = ["number", "state", "value", "best_epoch", "params", "checkpoint"]
    _show(f"{name}: {row['metric']}", row, form, columns)


def _show(title: str, rows: Any, form: str, columns: list[str]) -> None:
    from search.report.rows import as_table, render

    if form != "table":
        click.echo(render(rows, form))
        return
    from rich.console import Console

    width = None if sys.stdout.isatty() else 200
    Console(width=width).print(as_table(title, rows if isinstance(rows, list) else [rows], columns))


@main.command()
@click.argument("name")
@results_option
def report(name: str, results_dir: Path) -> None:
    """Write the study's report anew and print its path."""
    from search.journal.folder import open_study_dir
    from search.report.markdown import markdown_report
    from search.report.rows import load_state
    from trainables.storage import replace_file

    folder = open_study_dir(results_dir, name)
    replace_file(
        folder.report,
        markdown_report(folder, load_state(folder), folder.running_driver() is not None).encode(),
        mode=0o600,
    )
    click.echo(results_dir / name / folder.report.name)


@main.command()
@click.argument("name", required=False)
@click.option("--port", type=int, default=6006, show_default=True, help="Port on 127.0.0.1.")
@results_option
def board(name: str | None, port: int, results_dir: Path) -> None:
    """Open TensorBoard on a study, or on all of them, on this machine only."""
    from search.journal.folder import open_study_dir

    logdir = open_study_dir(results_dir, name).root if name else results_dir
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir)]
    os.execv(sys.executable, [*command, "--host", "127.0.0.1", "--port", str(port)])


@main.command()
@click.argument("name")
@click.argument("word")
@click.option("--count", type=click.IntRange(1), default=10, show_default=True, help="How many.")
@format_option
@results_option
def neighbours(name: str, word: str, count: int, form: str, results_dir: Path) -> None:
    """The words nearest to WORD in the best trial's embedding, with their cosine."""
    from search.journal.folder import open_study_dir
    from search.report.neighbours import neighbours as find
    from search.report.rows import load_state
    from trainables.data.corpus import default_cache

    folder = open_study_dir(results_dir, name)
    rows = find(folder, load_state(folder), word, count, default_cache())
    _show(f"{name}: {word}", rows, form, ["word", "cosine"])


@main.command()
@click.option("--hyperparameters", is_flag=True, help="List every hyperparameter instead.")
@format_option
def studies(hyperparameters: bool, form: str) -> None:
    """The built-in studies, or every hyperparameter a study may fix or search."""
    from search.spec.catalogue import builtin_studies, hyperparameter_rows

    rows = hyperparameter_rows() if hyperparameters else builtin_studies()
    _show("", rows, form, list(rows[0]))


if __name__ == "__main__":
    main()
