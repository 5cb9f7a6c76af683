"""The check of a GPU runs, section by section, at toy size on a CPU."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.gpu import check
from tests.gpu.setting import ROOT


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.gpu.check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize("section", check.SECTIONS)
@pytest.mark.slow
def test_every_section_runs(tmp_path, section):
    done = run("--device", "cpu", "--only", section, "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / f"{section}.json").read_text())
    assert figures and holds(figures)
    for name in figures:
        assert name in done.stdout


def holds(figures: dict[str, Any]) -> bool:
    """Whether what a section compares is equal on a CPU, where it must be."""
    errors = [value for name, value in figures.items() if name.endswith("gradient_error")]
    compared = [value for value in figures.values() if isinstance(value, bool)]
    return min(errors, default=0.0) < 1e-5 and len(set(compared)) <= 1


def test_an_unknown_section_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["check", "--only", "machine,moon", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        check.main()
    assert "no section moon" in capsys.readouterr().err


def test_a_section_that_fails_is_told_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    asked = []

    def alone(name, setting):
        asked.append(name)
        return {"failed": "CUDA error"} if name == "machine" else {"fine": True}

    monkeypatch.setattr(check, "run_alone", alone)
    arguments = ["check", "--device", "cpu", "--out", str(tmp_path), "--only", "machine,lecture"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert check.main() == 1
    assert asked == ["machine", "lecture"]
    assert "CUDA error" in capsys.readouterr().out
