"""The command line: one group, whose commands are imported when they are called."""

import errno
import os
from importlib import import_module
from typing import Any

import click

#: Where each command is, in the order of the help page.
COMMANDS = {
    "run": "search.cli.run:run",
    "resume": "search.cli.run:resume",
    "stop": "search.cli.manage:stop",
    "status": "search.cli.read:status",
    "trials": "search.cli.read:trials",
    "best": "search.cli.read:best",
    "report": "search.cli.read:report",
    "replay": "search.cli.read:replay",
    "logs": "search.cli.read:logs",
    "neighbours": "search.cli.read:neighbours",
    "finalize": "search.cli.finalize:finalize",
    "export": "search.cli.model:export",
    "evaluate": "search.cli.model:evaluate",
    "predict": "search.cli.model:predict",
    "serve": "search.cli.serve:serve",
    "board": "search.cli.manage:board",
    "init": "search.cli.init:init",
    "studies": "search.cli.manage:studies",
    "cluster": "search.cli.clusters:cluster",
    "doctor": "search.cli.doctor:doctor",
}


class LazyGroup(click.Group):
    """Imports a command when it is asked for; turns every error meant for a person into one clear
    message and its exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of ``COMMANDS``."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            from cluster.errors import ClusterError
        except ImportError as error:
            click.echo(
                f"seqtune: another package named 'cluster' hides ours ({error}): pip uninstall it, "
                "or start elsewhere",
                err=True,
            )
            ctx.exit(2)
        from search.cli.output import never_fail_on_a_character
        from trainables.errors import SeqtuneError

        never_fail_on_a_character()
        try:
            return super().invoke(ctx)
        except (SeqtuneError, ClusterError) as error:
            click.echo(f"seqtune: {error}", err=True)
            ctx.exit(error.exit_code)
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read along has left; click ends quietly
                raise
            where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
            click.echo(f"seqtune: {where}{error.strerror or error}", err=True)
            ctx.exit(2 if where else 1)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(130)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="seqtune")
def main() -> None:
    """Find the best recurrent network for your texts.

    Many trials are trained in parallel on Ray, the next are chosen by what was learnt, losers are
    paused, and whatever is interrupted can be resumed.
    """


if __name__ == "__main__":
    main()
