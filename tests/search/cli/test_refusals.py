"""What the commands refuse, and faults that nobody expected: one clear error, nothing lost."""

import errno
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from search.driver.signals import Halt
from search.spec.durations import parse_duration
from tests.cli_sandbox import invoke as run
from tests.study_harness import session


@pytest.mark.parametrize("time", ["soon", "0", "-5m", "1d"])
def test_a_time_that_is_none(study_file, tmp_path, time):
    result = run("run", "small.toml", f"--time-budget={time}")
    assert result.exit_code == 2 and "write 45s, 30m or 1h30m" in result.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("45s", 45),
        ("1h30m", 5400),
        ("1h30", 5400),
        ("5m30", 330),
        ("1h0m30", 3630),
        (2.5, 2.5),
        ("9" * 400, 1e9),
    ],
)
def test_a_time_in_seconds(text, seconds):
    assert parse_duration(text) == seconds


#: A network that needs hundreds of gigabytes.
HUGE = [
    part
    for name, value in (("hidden_size", 4096), ("num_layers", 8), ("embedding_dim", 4096))
    for part in ("--set", f"fixed.{name}={value}")
] + ["--set", "space={learning_rate=[0.001]}", "--set", "data.max_tokens=100000"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["imbd"], "did you mean 'imdb'"),
        (["small.toml", "--set", "fixed.cel=gru"], "did you mean 'cell'"),
        (["small.toml", "--set", "space.dropout={low=1,high=0}"], "dropout"),
        (["small.toml", "--set", "nonsense"], "section.key=value"),
        (["small.toml", "--name", "../x"], "study name"),
        (["small.toml", "--trials", "0"], "search.trials"),
        (["small.toml", "--cpus-per-trial", "0"], "cpus_per_trial"),
        (["small.toml", "--max-concurrent", "0"], "max_concurrent"),
        (["small.toml", "--cpus-per-trial", "4096"], "this machine has"),
        (["small.toml", *HUGE], "takes about"),
        (["small.toml", "--set", "resources.precision=float16"], "resources.precision"),
        (["small.toml", "--cluster", "moon"], "HOST:PORT"),
        (["small.toml", "--data", "./none.csv"], "no file or folder"),
        (["small.toml", "--set", "data.text=body"], "no column 'body'"),
        (["small.toml", "--results-dir", "small.toml/x"], "results folder"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_bad_input_is_one_clear_error_and_starts_nothing(
    study_file, tmp_path, arguments, message, more
):
    result = run("run", *arguments, *more)
    assert result.exit_code == 2, result.output
    assert message in result.stderr and result.stdout == ""
    said = [line for line in result.stderr.splitlines() if not line.startswith("note: ")]
    assert len(said) <= 2
    assert "Traceback" not in result.stderr and "starting Ray" not in result.stderr
    results = tmp_path / "results"
    assert not results.exists() or list(results.iterdir()) == []


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--gpus-per-trial", "1"]])
def test_half_precision_is_refused_where_there_is_none(study_file, tmp_path, monkeypatch, more):
    monkeypatch.setattr("trainables.attempts.probe.precisions", lambda *given: ("float32",))
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    result = run("run", "small.toml", "--set", "resources.precision=bfloat16", *more)
    assert result.exit_code == 2 and "does not compute in it" in result.stderr, result.output
    assert not (tmp_path / "results").exists() or not list((tmp_path / "results").iterdir())


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_texts_that_a_gpus_layers_cannot_read_are_refused(study_file, tmp_path, monkeypatch, more):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    long = ["--set", "data.max_tokens=65536", "--gpus-per-trial", "1"]
    result = run("run", "small.toml", *long, *more)
    assert "the cluster has no GPU" in result.stderr, "there is no such text"
    monkeypatch.setattr("search.driver.checks.MOST_GPU_STEPS", 12)
    result = run("run", "small.toml", *long, *more)
    assert result.exit_code == 2 and "may have 13 steps" in result.stderr, result.output
    assert not (tmp_path / "results").exists() or not list((tmp_path / "results").iterdir())


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_gpu_that_torch_does_not_see_is_refused(study_file, tmp_path, monkeypatch, more):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = run("run", "small.toml", "--gpus-per-trial", "0.5", *more)
    assert result.exit_code == 2 and "sees no GPU on this machine" in result.stderr
    assert not (tmp_path / "results").exists() or not list((tmp_path / "results").iterdir())


def test_a_fault_of_ours_is_one_line_and_a_traceback_in_a_file(study_file, tmp_path, monkeypatch):
    monkeypatch.setattr("search.driver.session.check_session", lambda *given: 1 / 0)
    result = run("run", "small.toml")
    assert result.exit_code == 1 and "Traceback" not in result.stderr
    log = tmp_path / "results" / "small" / "logs" / "driver.log"
    assert f"ZeroDivisionError: division by zero; the traceback is in {log}" in result.stderr
    assert "ZeroDivisionError" in log.read_text()
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert run("run", "small.toml", "--dry-run").exit_code == 0, "the name is still free"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"HOME": "/proc/nowhere", "SEQTUNE_CACHE": "cache"}, "set HOME to a folder"),
        ({"SEQTUNE_CACHE": "/proc/nowhere"}, "name another folder by SEQTUNE_CACHE"),
        ({"RAY_TMPDIR": f"/tmp/{'x' * 100}"}, "set RAY_TMPDIR to a short one"),
    ],
)
@pytest.mark.slow
def test_a_machine_that_cannot_start_ray_is_told_the_remedy(study_file, environment, message):
    done = subprocess.run(
        [sys.executable, "-m", "search", "run", "small.toml"],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])} | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("results/small").exists()


def test_a_folder_that_takes_no_file_is_one_line(finished, monkeypatch):
    def full(path, content, mode) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("search.report.markdown.replace_file", full)
    result = run("report", "small")
    path = finished.folder.report
    assert result.exit_code == 2
    assert result.stderr == f"seqtune: cannot write {path}: No space left on device\n"


def test_what_cannot_be_read_is_one_line(finished):
    finished.folder.driver_log.mkdir(parents=True)
    result = run("logs", "small")
    assert result.exit_code == 2
    assert result.stderr == f"seqtune: {finished.folder.driver_log}: Is a directory\n"


@pytest.mark.parametrize(("number", "said"), [(errno.EPIPE, ""), (errno.EIO, "seqtune: ")])
def test_what_has_no_name_and_who_has_left(finished, monkeypatch, number, said):
    def fail(*given, **more) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("search.cli.read.show", fail)
    result = run("best", "small")
    assert result.exit_code == 1 and result.stderr == (said and "seqtune: Input/output error\n")


@pytest.fixture
def slow_start(monkeypatch):
    """The time is up while Ray starts."""

    @contextmanager
    def connect(cluster, request):
        raise Halt("time budget spent", 0)
        yield

    monkeypatch.setattr("search.driver.session.connect", connect)


def test_a_budget_shorter_than_the_start_leaves_a_study_that_resumes(study_file, slow_start):
    result = run("run", "small.toml", "--time-budget", "5s")
    assert result.exit_code == 0
    assert "before the search began; resume with: seqtune resume small" in result.stderr
    again = run("resume", "small", "--dry-run")
    assert again.exit_code == 0 and "sample 0" in again.stdout
    assert run("run", "small.toml").exit_code == 2, "the name is taken"


def test_a_resume_that_is_not_in_the_journal_yet_is_named_with_its_options(study_file, slow_start):
    run("run", "small.toml", "--time-budget", "5s")
    typed = ["--trials", "40", "--set", "stopping.audit=0.1"]
    said = run("resume", "small", *typed, "--time-budget", "5s").stderr
    assert f"resume with: seqtune resume small {' '.join(typed)}\n" in said


def test_once_it_is_in_the_journal_the_name_is_enough(study_file, slow_start, monkeypatch):
    run("run", "small.toml", "--time-budget", "5s")

    def begun(folder, plan, interrupter, past):
        past.state.apply(session(40))
        raise Halt("interrupted", 130)

    monkeypatch.setattr("search.driver.session.resume", begun)
    said = run("resume", "small", "--trials", "40").stderr
    assert "resume with: seqtune resume small\n" in said
