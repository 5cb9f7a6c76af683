"""What readers print on any terminal, and how a search was called."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from search.program import called_as, resume_command
from search.report.tables import as_lines, as_table, json_pieces
from tests.study_harness import StudyHarness

ROOT = Path(__file__).parents[3]
PARAMS = {f"hyperparameter_{i}": 0.12345 + i for i in range(14)} | {"pooling": "attention"}
ROW = {"number": 3, "state": "completed", "value": 0.9, "params": PARAMS}


def drawn(width: int | None) -> str:
    screen = io.StringIO()
    columns = ["number", "state", "value", "params"]
    table = as_table("small", [ROW, ROW | {"value": None}], columns, width)
    Console(file=screen, width=width or 10_000).print(table)
    return screen.getvalue()


def test_many_rows_are_plain_lines_with_every_value():
    rows = [ROW | {"number": number} for number in range(400)]
    title, head, *lines = as_lines("small", rows, ["number", "state", "value", "params"])
    assert title == "small" and head.split() == ["number", "state", "value", *PARAMS]
    assert [int(line.split()[0]) for line in lines] == list(range(400))
    assert lines[0].split()[3:] == [
        f"{v:.4g}" if isinstance(v, float) else v for v in PARAMS.values()
    ]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_json_in_pieces_is_one_list(count):
    rows = [ROW | {"number": number, "text": "a\nb\u2028c"} for number in range(count)]
    text = "".join(json_pieces(iter(rows)))
    assert json.loads(text) == rows and text.endswith("]\n")


@pytest.mark.parametrize("width", [80, 40, 250, None])
def test_no_cell_is_cut_however_narrow_the_terminal(width):
    text = drawn(width)
    assert max(map(len, text.splitlines())) <= (width or 10_000)
    joined = "".join(text.replace("│", " ").replace("┃", " ").split())
    for name, value in PARAMS.items():
        shown = f"{value:.4g}" if isinstance(value, float) else value
        assert name in joined or width == 40, name
        assert shown in joined or width == 40, shown
    if width == 80:
        assert "pooling attention" in " ".join(text.replace("│", " ").split())


def test_columns_stand_apart_where_they_fit():
    assert "hyperparameter_13" in drawn(None).splitlines()[2]
    assert "hyperparameters" in drawn(80)


def read(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "search", *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
    )


@pytest.fixture
def study(tmp_path, tables):
    folder = tmp_path / "results" / "small"
    folder.mkdir(parents=True)
    harness = StudyHarness(folder, tables)
    harness.report(harness.begin(), 1, 0.75)
    return tmp_path


@pytest.mark.parametrize("command", [["trials", "small"], ["status"], ["studies"]])
def test_a_terminal_that_knows_ascii_only(study, command):
    done = read(study, *command, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii() and done.stdout


def test_json_is_json_in_any_encoding(study):
    done = read(study, "trials", "small", "--format", "json", PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)[0]["value"] == 0.75


def test_a_pipe_gets_whole_lines(study):
    done = read(study, "trials", "small")
    assert max(map(len, done.stdout.decode().splitlines())) > 80
    assert b"learning_rate" in done.stdout


@pytest.mark.parametrize(
    ("started", "expected"),
    [
        ("/venv/bin/seqtune", ["/venv/bin/seqtune"]),
        (".venv/bin/seqtune", [".venv/bin/seqtune"]),
        ("/usr/bin/seqtune", ["seqtune"]),
        ("/code/search/__main__.py", [sys.executable, "-m", "search"]),
        ("/code/my_script.py", ["seqtune"]),
    ],
)
def test_a_command_that_is_printed_works_as_printed(monkeypatch, started, expected):
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/seqtune")
    monkeypatch.setattr(sys, "argv", [started, "run"])
    assert called_as() == expected


def test_the_command_that_resumes(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["my_script.py"])
    assert resume_command("a", Path("results")) == "seqtune resume a"
    elsewhere = resume_command("a", Path("/x y"), "head:6379")
    assert elsewhere == "seqtune resume a --results-dir '/x y' --cluster head:6379"
