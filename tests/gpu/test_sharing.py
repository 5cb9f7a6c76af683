"""Trials that share a GPU: what becomes of them, and what memory they take, told without a GPU."""

import json
import shutil
import subprocess
import sys
import time
from contextlib import nullcontext

import pytest
import torch

from tests.gpu.record import Record
from tests.gpu.sections import sharing
from tests.gpu.sections.sharing import Way
from tests.gpu.setting import ROOT, Setting


@pytest.mark.slow
def test_a_part_says_where_it_stands_before_it_is_killed_and_ends_if_nobody_tells_it_to_go(
    tmp_path,
):
    command = Setting("cpu", tmp_path, ends=time.time() + 3).command("sharing_once")
    pipe = subprocess.PIPE
    part = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert part.stdout.readline() == "ready\n"
    time.sleep(1.5)  # its traces are due a second after it has begun
    said, traces = part.communicate()
    assert (part.returncode, said) == (0, "")
    assert "Timeout" in traces and "sharing_once.py" in traces
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_part_that_has_trained_keeps_its_memory_until_it_is_ended(tmp_path):
    command, pipe = Setting("cpu", tmp_path).command("sharing_once"), subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as part:
        assert part.stdout.readline() == "ready\n"
        part.stdin.write("go\n")
        part.stdin.flush()
        assert json.loads(part.stdout.readline())["loss"] > 0
        with pytest.raises(subprocess.TimeoutExpired):
            part.wait(1.5)
    assert part.returncode == 0


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("script", "why"),
    [
        ('print(\'{"failed": "out of memory"}\')', "out of memory"),
        ("print('ready', flush=True); input(); print('{\"failed\": \"no go\"}')", "no go"),
        ("print('ready', flush=True); input()", "while it trained"),
        ("import time; time.sleep(600)", "took too long"),
    ],
)
def test_trials_that_fail_or_hang_cost_only_their_own_figures(tmp_path, monkeypatch, script, why):
    monkeypatch.setattr(Setting, "command", lambda *_: [sys.executable, "-c", script])
    monkeypatch.setattr(sharing, "_SECONDS", 1.0 if "sleep" in script else 30.0)
    record = Record(tmp_path / "sharing.json")
    sharing._try(Setting("cpu", tmp_path), record, 2, Way("", {}, 0))
    ((name, said),) = record.figures.items()
    assert name == "2 processes failed" and why in str(said)


#: A trial that holds memory, which is a file, from its training to its end.
HOLDS = """
import json, os, pathlib, sys
print("ready", flush=True)
input()
held = pathlib.Path(sys.argv[1], f"{os.getpid()}.held")
held.touch()
print(json.dumps({"loss": 0.5, "reserved_mib": 7}), flush=True)
sys.stdin.read()
held.unlink()
"""


def test_the_memory_of_the_gpu_is_looked_at_while_all_trials_hold_theirs(tmp_path, monkeypatch):
    def free(*_: object) -> tuple[int, int]:
        return (80 << 30) - (len(list(tmp_path.glob("*.held"))) * 100 << 20), 80 << 30

    monkeypatch.setattr(torch.cuda, "mem_get_info", free)
    monkeypatch.setattr(Setting, "command", lambda *_: [sys.executable, "-c", HOLDS, str(tmp_path)])
    record, setting = Record(tmp_path / "sharing.json"), Setting("cuda", tmp_path)
    sharing._try(setting, record, 3, Way(" under MPS", {}, setting.free_bytes() + (50 << 20)))
    assert record.figures["3 processes under MPS gpu_mib_with_contexts"] == 350
    assert record.figures["3 processes under MPS most_reserved_mib"] == 7


def test_what_was_free_at_first_counts_for_all(tmp_path, monkeypatch):
    """The server of MPS is there before the second count is, and takes memory of its own."""
    seen: list[tuple[int, str, int]] = []
    free = iter([(80, 90), (70, 90), (60, 90)])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: next(free))
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(sharing, "mps", lambda: nullcontext({}))
    monkeypatch.setattr(
        sharing,
        "_try",
        lambda setting, record, count, way: seen.append((count, way.name, way.free_bytes)),
    )
    sharing.measure(Setting("cuda", tmp_path), Record(tmp_path / "sharing.json"))
    alone = [(count, "", 80) for count in (1, 2, 4, 8, 16)]
    assert seen == alone + [(count, " under MPS", 80) for count in (2, 4, 8, 16)]
