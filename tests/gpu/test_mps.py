"""The control daemon of MPS is ours, and ends with us; here a script stands in for NVIDIA's."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.gpu.sections import mps as module
from tests.gpu.sections.mps import CONTROL, mps

#: Serves until it is told to quit, as the daemon does in the foreground.
OBEYS = """#!/bin/sh
cd "$CUDA_MPS_PIPE_DIRECTORY"
if [ "$1" = -f ]; then
  echo $$ > "$SAID"; echo started > control.log; touch control
  while [ ! -e quit ]; do sleep 0.05; done
else
  grep -q quit && touch quit
fi
"""


@pytest.fixture
def control(tmp_path, monkeypatch):
    """Puts a script in the daemon's place; returns the file with its process's number."""
    path, said = tmp_path / CONTROL, tmp_path / "said"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SAID", str(said))

    def put(script: str) -> Path:
        path.write_text(script)
        path.chmod(0o755)
        return said

    return put


def test_clients_find_it_and_it_ends_behind_them(control, capfd):
    said = control(OBEYS)
    with mps() as environment:
        folder = Path(environment["CUDA_MPS_PIPE_DIRECTORY"])
        assert (folder / "control").exists()
        pid = int(said.read_text())
        os.kill(pid, 0)
        assert os.getpgid(pid) == os.getpgid(0), "what ends our group ends it"
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert "started" in capfd.readouterr().out


def test_one_that_does_not_quit_is_killed(control, monkeypatch):
    monkeypatch.setattr(module, "_SECONDS_TO_END", 0.3)
    said = control(OBEYS.replace("grep -q quit && touch quit", "exec sleep 60"))
    with mps():
        pid = int(said.read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("script", "why"), [("#!/bin/sh\nexit 4\n", "ended with 4"), (OBEYS, "opened no control")]
)
def test_one_that_does_not_start_is_told(control, monkeypatch, script, why):
    monkeypatch.setattr(module, "_SECONDS_TO_START", 0.3)
    control(script.replace("touch control", "true"))
    with pytest.raises(RuntimeError, match=why), mps():
        raise AssertionError("it has not started")


def test_it_is_called_as_it_documents(control, monkeypatch):
    calls = []
    real = subprocess.Popen

    def popen(command, *rest, **given):
        calls.append(command)
        return real(command, *rest, **given)

    monkeypatch.setattr(subprocess, "Popen", popen)
    control(OBEYS)
    with mps():
        pass
    assert calls == [[CONTROL, "-f"], [CONTROL]]
