"""The check of a GPU runs, section by section, at toy size on a CPU, and loses nothing it found."""

import json
import math
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch
from torch.autograd.profiler_util import DeviceType  # type: ignore[attr-defined]

from tests.gpu import check
from tests.gpu.record import Record, has_failed
from tests.gpu.sections import sharing
from tests.gpu.sections.fused import Pass
from tests.gpu.sections.profiles import figures_of
from tests.gpu.setting import ROOT, Setting, made_up_texts
from tests.gpu.timing import largest, median_seconds


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.gpu.check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize("section", check.SECTIONS)
@pytest.mark.slow
def test_every_section_runs(tmp_path, section):
    out = tmp_path / "gpu"
    done = run("--device", "cpu", "--only", section, "--out", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((out / f"{section}.json").read_text())
    assert figures and holds(figures)
    for name in figures:
        assert name in done.stdout
    with tarfile.open(tmp_path / "gpu.tgz") as archive:
        names = {f"gpu/{section}.json", f"gpu/{section}.log", "gpu/table.log"}
        assert names <= set(archive.getnames())


def holds(figures: dict[str, Any]) -> bool:
    """Whether what a section compares is equal on a CPU, where it must be."""
    errors = [value for name, value in figures.items() if name.endswith("gradient_error")]
    compared = [value for value in figures.values() if isinstance(value, bool)]
    finite = all(map(math.isfinite, errors))
    return finite and min(errors, default=0.0) < 1e-5 and len(set(compared)) <= 1


def test_an_unknown_section_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["check", "--only", "machine,moon", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        check.main()
    assert "no section moon" in capsys.readouterr().err


def test_a_section_that_fails_is_told_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    asked = []

    def alone(name, setting, limit):
        asked.append(name)
        return {"B=8 failed": "CUDA error"} if name == "machine" else {"fine": True}

    monkeypatch.setattr(check, "run_alone", alone)
    arguments = ["--device", "cpu", "--out", str(tmp_path / "gpu"), "--only", "machine,lecture"]
    monkeypatch.setattr(sys, "argv", ["check", *arguments])
    assert check.main() == 1
    assert asked == ["machine", "lecture"]
    assert "CUDA error" in capsys.readouterr().out


def test_what_the_time_is_too_short_for_is_left_out(tmp_path, monkeypatch, capsys):
    limits = []

    def alone(name, setting, limit):
        limits.append(limit)
        monkeypatch.setattr(time, "monotonic", lambda: now + 35.0 * len(limits))
        return {"fine": True}

    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(check, "run_alone", alone)
    out = tmp_path / "gpu"
    out.mkdir()
    names = ["machine", "contracts", "recurrence", "lecture"]
    assert check.run_all(names, Setting("cpu", out), 100.0)
    assert limits == pytest.approx([60.0, 65.0, 30.0])
    assert "left out" in capsys.readouterr().out.splitlines()[-1]


#: Takes a figure down, starts a process of its own, and hangs.
HANGS = """
import json, subprocess, sys, time
child = subprocess.Popen(["sleep", "600"])
print("still here", flush=True)
with open(sys.argv[1], "w") as file:
    json.dump({"child": child.pid}, file)
time.sleep(600)
"""


def test_a_section_that_hangs_ends_with_all_that_it_has_started_and_keeps_its_figures(
    tmp_path, monkeypatch
):
    path = str(tmp_path / "machine.json")
    monkeypatch.setattr(Setting, "command", lambda *_: [sys.executable, "-c", HANGS, path])
    figures = check.run_alone("machine", Setting("cpu", tmp_path), 3.0)
    assert figures["failed"] == "took more than 3 s"
    assert "still here" in (tmp_path / "machine.log").read_text()
    ends = time.monotonic() + 10
    while runs(int(figures["child"])):
        assert time.monotonic() < ends
        time.sleep(0.05)


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_section_that_dies_is_told_by_its_last_words(tmp_path, monkeypatch):
    (tmp_path / "machine.json").write_text('{"of a former check": 1}')
    script = "import sys; print('out of luck'); sys.exit(3)"
    monkeypatch.setattr(Setting, "command", lambda *_: [sys.executable, "-c", script])
    figures = check.run_alone("machine", Setting("cpu", tmp_path), 30.0)
    assert figures["failed"] == "ended with 3: out of luck"
    assert "of a former check" not in figures


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


def test_figures_are_on_the_disk_at_once_and_what_fails_is_among_them(tmp_path, capsys):
    record = Record(tmp_path / "machine.json")
    record.add({"one": 1})
    assert json.loads(record.path.read_text()) == {"one": 1}
    with record.trying("two"):
        raise ValueError("no two")
    record.add({"three": 3})
    expected = {"one": 1, "two failed": "ValueError('no two')", "three": 3}
    assert json.loads(record.path.read_text()) == expected
    assert "Traceback" in capsys.readouterr().err
    assert has_failed(record.figures) and not has_failed({"one": 1})


def test_a_part_prints_its_figures(capsys):
    Record().add({"loss": 0.5})
    assert json.loads(capsys.readouterr().out) == {"loss": 0.5}


def test_checkpoints_are_not_packed(tmp_path):
    out = tmp_path / "gpu"
    out.mkdir()
    for name in ("machine.json", "machine.log", "checkpoint.safetensors"):
        (out / name).touch()
    with tarfile.open(check.pack(out)) as archive:
        assert archive.getnames() == ["gpu/machine.json", "gpu/machine.log"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gpu", "gpu.tgz"]


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
    sharing._try(Setting("cpu", tmp_path), record, 2, "", {})
    ((name, said),) = record.figures.items()
    assert name == "2 processes failed" and why in str(said)


def test_an_error_that_is_no_number_is_not_passed_over():
    assert largest([torch.tensor(1.0), torch.tensor(2.06)]) == 2.1
    for errors in ([math.nan, 1.0], [1.0, math.nan]):
        assert math.isnan(largest(map(torch.tensor, errors)))
    assert math.isnan(Pass.drawn(0, H=4, B=3, T=2, device="cpu").error())  # nothing has written it


def test_a_profile_counts_kernels_once_and_every_kind_of_launch():
    def event(key, device, count, microseconds, annotation=False):
        return SimpleNamespace(
            key=key,
            device_type=getattr(DeviceType, device),
            count=count,
            self_device_time_total=microseconds,
            is_user_annotation=annotation,
        )

    events = [
        event("aten::mm", "CPU", 4, 4000),  # the time of its kernels, as the host has it
        event("gemm", "CUDA", 4, 4000),
        event("Memcpy HtoD (Pinned -> Device)", "CUDA", 2, 1000),
        event("Optimizer.step#Adam.step", "CUDA", 1, 9000, annotation=True),
        event("cudaLaunchKernel", "CPU", 2, 0),
        event("cudaLaunchCooperativeKernel", "CPU", 2, 0),
    ]
    found = figures_of(events, 2)
    assert found == {"device_ms_per_step": 2.5, "kernels_per_step": 2, "launches_per_step": 2}


def test_the_median_call_counts():
    waits = iter([0.0, 0.0, 0.2])
    assert median_seconds(lambda: time.sleep(next(waits)), "cpu", repeats=3) < 0.1


def test_texts_are_made_up_once():
    assert made_up_texts(30) is made_up_texts(30)


def test_a_corpus_has_its_own_vocabulary(reviews: Path, tmp_path: Path):
    from trainables.data.corpus import prepare
    from trainables.data.spec import DataSpec
    from trainables.storage import Cache

    corpus = prepare(DataSpec(source=str(reviews), max_tokens=16), Cache(tmp_path / "cache"))
    assert Setting("cpu", tmp_path, corpus.path).vocabulary == corpus.vocabulary < 1000
