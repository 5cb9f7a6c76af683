"""The page of all commands: ``python -m search.cli.help_page > COMMANDS.md``."""

import click

from search.cli.main import COMMANDS, main

_HEAD = """# Commands

What `seqtune COMMAND --help` says, for every command. `python -m search.cli.help_page` makes this
page.
"""


def help_page() -> str:
    """Return the page as Markdown."""
    group = _context(main, "seqtune", None)
    blocks = [_HEAD, _block(group)]
    for name in COMMANDS:
        command = main.get_command(group, name)
        assert command is not None
        context = _context(command, name, group)
        blocks.append(f"## {name}\n\n{_block(context)}")
        for sub, one in (command.commands if isinstance(command, click.Group) else {}).items():
            blocks.append(f"### {name} {sub}\n\n{_block(_context(one, sub, context))}")
    return "\n".join(blocks)


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(
        command,
        parent,
        name,
        terminal_width=100,
        max_content_width=100,
        help_option_names=["-h", "--help"],
    )


def _block(context: click.Context) -> str:
    return f"```\n{context.get_help()}\n```\n"


if __name__ == "__main__":
    click.echo(help_page(), nl=False)
