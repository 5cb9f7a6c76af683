"""``run`` and ``resume``."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from search.cli.options import as_typed, launch_options
from search.cli.sessions import carry_out, resume_hint
from search.program import RESUME_VARIABLE, resume_command, study_command

if TYPE_CHECKING:
    from search.journal.folder import StudyDir
    from search.spec.study import StudySpec


@click.command()
@click.argument("study")
@click.option("--name", help="Name of the study; the study file's own by default.")
@launch_options
def run(study: str, results_dir: Path, dry_run: bool, **options: Any) -> None:
    """Search: STUDY is a built-in name (see 'seqtune studies') or a TOML file."""
    from search.driver.plan import Options, new_study, plan_session
    from search.driver.session import start
    from search.driver.signals import Interrupter
    from search.journal.folder import StudyDir, check_free

    given = Options(**options)
    spec = new_study(study, given)
    plan = plan_session(spec, given)
    if dry_run:
        from search.driver.dry_run import describe
        from search.driver.former import recall_former

        check_free(results_dir, spec.name)
        click.echo(describe(spec, plan, former=recall_former(spec, results_dir)))
        return
    folder = StudyDir(results_dir.absolute() / spec.name)
    if plan.cluster.drives_itself:
        check_free(results_dir, spec.name)
        _on_head("run", spec, plan.cluster, folder, given.cluster)
    again = resume_command(spec.name, results_dir, given.cluster)
    interrupter = Interrupter(plan.time_budget, resume_hint(folder, lambda: again))
    carry_out(
        lambda: start(spec, results_dir, plan, interrupter), interrupter, folder, _print_outcome
    )


@click.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Search differently from here on, or over other data.")
@click.option(
    "--take-over",
    is_flag=True,
    help="Take the study from a driver that is known to be dead or frozen.",
)
@launch_options
def resume(
    name: str, results_dir: Path, dry_run: bool, force: bool, take_over: bool, **options: Any
) -> None:
    """Go on with a study that was interrupted, or extend a finished one with --trials."""
    from search.driver.plan import Options, changed_study, plan_session
    from search.driver.session import resume as go_on
    from search.driver.signals import Interrupter
    from search.journal.folder import open_study_dir
    from search.journal.load import load

    given = Options(**options)
    folder = open_study_dir(results_dir, name)
    past = load(folder)
    spec, change = changed_study(past.state, given, force)
    plan = plan_session(spec, given, change, force, take_over)
    if dry_run:
        from search.driver.dry_run import describe

        click.echo(describe(spec, plan, past.state))
        return
    if plan.cluster.drives_itself:
        _on_head("resume", spec, plan.cluster, folder, given.cluster)
    whole, again = _as_called(name, results_dir), resume_command(name, results_dir, given.cluster)
    before = past.state.session
    hint = resume_hint(folder, lambda: whole if past.state.session is before else again)
    interrupter = Interrupter(plan.time_budget, hint)
    carry_out(lambda: go_on(folder, plan, interrupter, past), interrupter, folder, _print_outcome)


def _as_called(name: str, results_dir: Path) -> str:
    """Return this very command, of a resume that is not in the journal yet."""
    if RESUME_VARIABLE in os.environ:
        return os.environ[RESUME_VARIABLE]
    return study_command("resume", name, results_dir, *as_typed(("time_budget", "results_dir")))


#: Options that are not passed on to a driver on the head: where it runs, or what is said anew.
_NOT_PASSED = ("cluster", "results_dir", "dry_run")

#: Of ``run`` only this is passed on: all else is in the study that goes along.
_PASSED_OF_RUN = ("time_budget",)


def _on_head(
    verb: str, spec: "StudySpec", cluster: Any, folder: "StudyDir", cluster_text: str
) -> None:
    """Run this very command on the head of its cluster, and end with its exit code."""
    from search.driver.on_head import drive_on_head

    left: tuple[str, ...] = _NOT_PASSED
    if verb == "run":
        params = click.get_current_context().params
        left = tuple(name for name in params if name not in _PASSED_OF_RUN)
    source = spec.inputs["data"].get("source")  # by its whole path
    options = as_typed(left, instead={"data": source})
    results = folder.root.parent
    resume = (
        resume_command(spec.name, results, cluster_text)
        if verb == "run"
        else _as_called(spec.name, results)
    )
    sys.exit(drive_on_head(verb, spec, options, cluster, folder, resume))


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _print_outcome(outcome: Any, hint: str) -> None:
    from search.errors import NoFiniteResult
    from search.monitor.say import put, say
    from search.report.outlook import sentences
    from search.report.rows import nothing_finite
    from search.report.tables import figure

    state, best = outcome.state, outcome.state.best()
    if best is not None:
        value = f"{state.objective.metric} {figure(best.value)}"
        put(f"best trial {best.trial.number}: {value}", sys.stdout)
        for sentence in sentences(state):
            say(sentence)
        put(f"report: {_from_here(outcome.folder.report)}", sys.stdout)
    if outcome.reason != "finished":
        say(f"{outcome.reason}; {state.trials.ended} of {state.total} trials done; {hint}")
    elif best is None:
        raise NoFiniteResult(nothing_finite(state))
    sys.exit(outcome.exit_code)
