"""``run`` and ``resume``."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from search.cli.options import launch_options


@click.command()
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
    hint = resume_hint(spec.name, results_dir, given.cluster)
    interrupter = Interrupter(plan.time_budget, hint)
    _carry_out(lambda: start(spec, results_dir, plan, interrupter), interrupter, results_dir)


@click.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Search differently from here on, or over other data.")
@click.option("--take-over", is_flag=True, help="The driver on another host is known to be dead.")
@launch_options
def resume(
    name: str, results_dir: Path, dry_run: bool, force: bool, take_over: bool, **options: Any
) -> None:
    """Go on with a study that was interrupted, or extend a finished one with --trials."""
    from search.driver.plan import Options, changed_study, plan_session
    from search.driver.session import resume as go_on
    from search.driver.signals import Interrupter
    from search.journal.folder import open_study_dir
    from search.journal.load import load_events
    from search.journal.state import replay

    given = Options(**options)
    folder = open_study_dir(results_dir, name)
    past = load_events(folder)
    spec, change = changed_study(replay(past), given, force)
    plan = plan_session(spec, given, change, force, take_over)
    if dry_run:
        from search.driver.dry_run import describe

        click.echo(describe(spec, plan, past))
        return
    interrupter = Interrupter(plan.time_budget, resume_hint(name, results_dir, given.cluster))
    _carry_out(lambda: go_on(folder, plan, interrupter), interrupter, results_dir)


def resume_hint(name: str, results: Path, cluster: str = "local") -> Callable[[], str]:
    """Return a function that gives the command which resumes a study, or nothing before there is
    one."""
    from search.journal.folder import StudyDir

    command = ["seqtune", "resume", name]
    command += [] if results == Path("results") else ["--results-dir", str(results)]
    command += [] if cluster == "local" else ["--cluster", cluster]
    folder = StudyDir(results.absolute() / name)
    return lambda: f"resume with: {shlex.join(command)}" if folder.exists() else ""


def _carry_out(session: Callable[[], Any], interrupter: Any, results: Path) -> None:
    """Run a session and print its outcome: results on stdout, the rest on stderr."""
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
    best = state.best()
    if best is not None:
        click.echo(f"best trial {best.trial.number}: {state.objective.metric} {best.value:.4f}")
        click.echo(f"report: {StudyDir(results / state.created.name).report}")
    if outcome.reason != "finished":
        done = f"{state.ended} of {state.total} trials done"
        click.echo(f"{outcome.reason}; {done}; {interrupter.resume_hint()}", err=True)
    elif best is None:
        raise NoFiniteResult(f"all {state.total} trials ended without a finite result")
    sys.exit(outcome.exit_code)
