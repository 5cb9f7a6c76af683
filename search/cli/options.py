"""Options that several commands share."""

from collections.abc import Callable, Collection, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

Command = Callable[..., Any]
FORMATS = click.Choice(["table", "json", "csv"])


class Duration(click.ParamType[float]):
    """Seconds, written as ``90``, ``45s``, ``30m`` or ``1h30m``."""

    name = "time"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        from search.errors import SpecError
        from search.spec.durations import parse_duration

        try:
            return parse_duration(value)
        except SpecError as error:
            self.fail(str(error), param, ctx)


def data_settings_option(what: str) -> Callable[[Command], Command]:
    """Add the option that says how ``what`` is written. Advice that names a setting of a study file
    then says how it is given here."""

    def add(command: Command) -> Command:
        @wraps(command)
        def advised(*args: Any, **kwargs: Any) -> Any:
            from trainables.errors import DataError

            try:
                return command(*args, **kwargs)
            except DataError as error:
                if "write data." not in str(error):
                    raise
                raise DataError(f"{error} (here with --set data.KEY=VALUE)") from error

        return click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="data.KEY=VALUE",
            help=f"How {what} is written.",
        )(advised)

    return add


def results_option(command: Command) -> Command:
    """Add the option that says where the studies are."""
    return click.option(
        "--results-dir",
        type=click.Path(file_okay=False, path_type=Path),
        callback=lambda context, option, folder: folder.expanduser(),  # of a quoted '~/x'
        default=Path("results"),
        show_default=True,
        help="Folder with one subfolder for each study.",
    )(command)


def format_option(command: Command) -> Command:
    """Add the option that says how a reader prints."""
    return click.option(
        "--format", "form", type=FORMATS, default="table", show_default=True, help="Output form."
    )(command)


def launch_options(command: Command) -> Command:
    """Add the options that run and resume share."""
    options: list[Callable[[Command], Command]] = [
        click.option("--trials", type=int, help="Trials in TOTAL; failed ones count."),
        click.option(
            "--time-budget", type=Duration(), help="Wall clock of this call: 30m, 1h30m, seconds."
        ),
        click.option("--max-concurrent", type=int, help="Trials at a time, at most."),
        click.option("--cpus-per-trial", type=int, help="CPU cores (and threads) of one trial."),
        click.option("--gpus-per-trial", type=float, help="GPUs, or a share of one, of one trial."),
        click.option("--max-failures", type=int, help="Times a lost trial is tried again."),
        click.option(
            "--tensorboard", metavar="TRIALS", help="Trials shown there: all, top:50, study (none)."
        ),
        click.option(
            "--cluster",
            default="local",
            show_default=True,
            help="local, a cluster file, or HOST:PORT of Ray.",
        ),
        click.option("--data", metavar="SOURCE", help="Built-in name, path or hub data set."),
        click.option(
            "--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="Any setting."
        ),
        click.option("--seed", type=int, help="Seed of the whole study."),
        click.option("--dry-run", is_flag=True, help="Check and estimate; start nothing."),
        results_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def as_typed(without: Collection[str], instead: Mapping[str, Any] | None = None) -> list[str]:
    """Return the options that the present command was called with, as they are typed, but for some;
    ``instead`` has other values of them."""
    context, typed = click.get_current_context(), list[str]()
    for option in context.command.params:
        name = option.name or ""
        given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if not isinstance(option, click.Option) or name in without or not given:
            continue
        value = (instead or {}).get(name, context.params[name])
        if value is None or value is False:
            continue
        for one in value if isinstance(value, tuple) else (value,):
            typed += [option.opts[0], *([] if one is True else [str(one)])]
    return typed
