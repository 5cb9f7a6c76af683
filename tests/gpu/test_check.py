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
from tests.gpu.sections.fused import Pass
from tests.gpu.sections.profiles import figures_of
from tests.gpu.setting import ROOT, Setting, made_up_texts
from tests.gpu.timing import largest, median_seconds


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.gpu.check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


#: What is compared, by words of its figure's name, and what comes of it on a CPU.
COMPARED = {"are one": True, "is the same": True, "with companions": True, "losses differ": False}
#: Words of a figure for which a section is there.
ASKED = {
    "recurrence": "gradient_error",
    "lecture": "attempt epoch_s",
    "repeats": "restored is the same",
    "sharing": "losses differ",
}


@pytest.mark.parametrize("section", check.SECTIONS)
@pytest.mark.slow
def test_every_section_runs(tmp_path, section):
    out = tmp_path / "gpu"
    done = run("--device", "cpu", "--only", section, "--out", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((out / f"{section}.json").read_text())
    assert figures and holds(figures)
    assert any(ASKED.get(section, "") in name for name in figures)
    for name in figures:
        assert name in done.stdout
    with tarfile.open(tmp_path / "gpu.tgz") as archive:
        names = {f"gpu/{section}.json", f"gpu/{section}.log", "gpu/table.log"}
        assert names <= set(archive.getnames())
    if figures.keys() == {"left out"}:
        pytest.skip(f"{section}: {figures['left out']}")


def holds(figures: dict[str, Any]) -> bool:
    """Whether what a section compares comes out as on a CPU it must."""
    errors = [value for name, value in figures.items() if name.endswith("_error")]
    compared = {name: value for name, value in figures.items() if isinstance(value, bool)}
    as_it_must = all(value is expected(name) for name, value in compared.items())
    return as_it_must and all(map(math.isfinite, errors)) and min(errors, default=0.0) < 1e-5


def expected(name: str) -> bool:
    """What a comparison comes to, which must be known of every one."""
    (value,) = (value for words, value in COMPARED.items() if words in name)
    return value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("float32 plain three runs are one", False),
        ("float32 plain restored is the same with workspace", False),
        ("ieee alone as with companions", False),
        ("2 processes losses differ", True),
        ("float32 H=8 gradient_error", 0.1),
        ("float32 H=8 gradient_error", math.nan),
    ],
)
def test_what_does_not_hold_is_seen(name, value):
    assert holds({name: 0.0 if isinstance(value, float) else not value, "B=8 epoch_s": 3.0})
    assert not holds({name: value})


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
    assert limits == pytest.approx([50.0, 65.0, 30.0])
    assert "left out" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(("share", "own"), [(1.0, 1), (0.1, 2)])
def test_no_section_takes_the_time_of_a_later_one(tmp_path, monkeypatch, share, own):
    """Each gets its own seconds if all are stuck, and twice as many if all are quick."""
    limits, now = {}, [0.0]

    def alone(name, setting, limit):
        limits[name] = limit
        now[0] += limit * share
        return {"fine": True}

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(check, "run_alone", alone)
    assert check.run_all(list(check.SECTIONS), Setting("cpu", tmp_path), check.SECONDS)
    saved = {name: own * seconds for name, seconds in check.SECTIONS.items()}
    saved["machine"] = check.SECTIONS["machine"]  # nobody is before the first,
    saved["contracts"] = min(saved["contracts"], 70 + 45)  # and the first has little to leave
    assert limits == pytest.approx(saved)


def test_all_sections_take_eight_minutes_and_the_most_telling_come_first():
    telling = ["machine", "contracts", "recurrence", "lecture", "repeats", "sharing"]
    assert list(check.SECTIONS)[: len(telling)] == telling
    assert check.SECONDS <= 480


#: Takes a figure down, starts a process of its own, and hangs.
HANGS = """
import json, subprocess, sys, time
child = subprocess.Popen(["sleep", "600"])
print("still here", flush=True)
with open(sys.argv[1], "w") as file:
    json.dump({"child": child.pid}, file)
time.sleep(600)
"""


@pytest.mark.lengthy
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
