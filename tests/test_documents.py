"""What the documents promise exists: links, commands, options."""

import re
from pathlib import Path

import click
import pytest

from search.cli.help_page import help_page
from search.cli.main import main

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "results").glob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        assert target.startswith("http") or (document.parent / target).exists(), target


WRITTEN = [path for path in DOCUMENTS if path.name != "COMMANDS.md"]


@pytest.mark.parametrize("document", WRITTEN, ids=lambda path: path.name)
def test_commands_and_options_exist(document):
    for line in re.findall(r"seqtune ([a-z][^`\n#;]*)", document.read_text()):
        command, *words = line.split()
        found = main.get_command(click.Context(main), command)
        assert found is not None, line
        known = {name for p in found.params for name in p.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


@pytest.mark.slow
def test_notebook_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SEQTUNE_CACHE", str(tmp_path))
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    for block in blocks:
        exec(block, {})
    assert float(capsys.readouterr().out.split()[-1]) > 0.6


def test_make_targets_of_the_documents_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for document in DOCUMENTS:
        named = re.findall(r"(?:`|^)make ([a-z-]+)", document.read_text(), re.M)
        assert set(named) <= targets, document


def test_the_page_of_commands_is_what_the_commands_say():
    assert (ROOT / "COMMANDS.md").read_text() == help_page(), (
        "make it anew: python -m search.cli.help_page > COMMANDS.md"
    )
