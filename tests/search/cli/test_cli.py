"""The command line's contract where nothing is trained: help, bad input, readers."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

import search
from search.cli.main import main
from search.journal.events import Finding, OutlookTaken
from search.report.tables import as_table
from tests.cli_sandbox import invoke as run
from tests.study_harness import CONFUSION, StudyHarness
from trainables.attempts.messages import Assignment


@pytest.mark.parametrize("command", ["", *sorted(main.commands)])
def test_every_command_and_option_has_help(command):
    result = run(*([command] if command else []), "--help")
    assert result.exit_code == 0
    options = main.commands[command].params if command else []
    assert all(p.help for p in options if p.param_type_name == "option")


def test_existing_name(study_file, finished):
    before = finished.folder.journal.read_bytes()
    result = run("run", "small.toml")
    assert result.exit_code == 2 and "seqtune resume small" in result.stderr
    assert finished.folder.journal.read_bytes() == before


def test_dry_run_resolves_samples_estimates_and_starts_nothing(study_file, tmp_path):
    result = run("run", "small.toml", "--dry-run", "--set", "fixed.cell=gru", "--trials", "9")
    assert result.exit_code == 0, result.output
    for piece in ('cell = "gru"', "trials = 9", "sample 2:", "GiB a trial", "core-hours"):
        assert piece in result.stdout
    assert not (tmp_path / "results").exists()


def test_trials_as_json_has_the_contracts_keys(finished):
    rows = json.loads(run("trials", "small", "--format", "json").stdout)
    assert [row["number"] for row in rows] == [0, 1, 2, 3]
    assert [row["state"] for row in rows] == ["completed", "pruned", "failed", "interrupted"]
    keys = "number state value epoch best_epoch params epochs attempts failures reason"
    assert list(rows[0]) == [*keys.split(), "host", "device", "checkpoint"]
    assert (rows[0]["value"], rows[0]["best_epoch"], rows[0]["epoch"]) == (0.9, 2, 4)
    assert rows[0]["epochs"][0] == {
        "epoch": 1,
        "value": 0.6,
        "metrics": {"val/accuracy": 0.6, "val/loss": 0.5, "train/loss": 0.5} | CONFUSION,
        "seconds": 1.0,
    }
    assert (rows[2]["value"], rows[2]["checkpoint"], rows[2]["failures"]) == (None, None, 1)
    assert rows[2]["reason"] == "ValueError: no"
    assert rows[0]["checkpoint"].startswith("checkpoints/")


def test_best_and_status_as_json(finished):
    best = json.loads(run("best", "small", "--format", "json").stdout)
    assert (best["number"], best["study"], best["metric"], best["mode"]) == (
        0,
        "small",
        "val/accuracy",
        "max",
    )
    assert json.loads(run("status", "small", "--format", "json").stdout) == {
        "study": "small",
        "state": "interrupted",
        "total": 6,
        "counts": {"completed": 1, "pruned": 1, "failed": 1, "interrupted": 1},
        "best": 0,
        "driver": None,
    }


@pytest.mark.parametrize("command", ["trials", "best", "status"])
@pytest.mark.parametrize("form", ["table", "csv"])
def test_tables_and_csv(finished, command, form):
    result = run(command, "small", "--format", form)
    assert result.exit_code == 0 and result.stderr == ""
    if form == "csv":
        header, *rows = result.stdout.strip().splitlines()
        assert all(row.count(",") >= header.count(",") for row in rows)
        assert command == "status" or "hidden_size" in header


def header(*arguments: str) -> list[str]:
    return run(*arguments, "--format", "csv").stdout.splitlines()[0].split(",")


def test_columns_of_csv_are_the_same_whatever_is_known(tmp_path, tables, monkeypatch):
    monkeypatch.chdir(tmp_path)
    harness = StudyHarness(tmp_path / "results" / "small", tables)
    before = [header("trials", "small"), header("status", "small"), header("status")]
    assert before[0][:6] == ["number", "state", "value", "epoch", "best_epoch", "hidden_size"]
    assert {"driver.pid", "driver.host", "outlook.leader.mean"} <= {*before[1]}
    while isinstance(work := harness.study.next(), Assignment):
        for epoch in range(1, 5):
            harness.report(work, epoch, 0.5 + work.number / 10)
    figures = {name: 0.1 for name in ("mean", "se", "chance", "gain", "gain_low", "gain_high")}
    finding = Finding(kind="mild", value=0.5)
    said = OutlookTaken(ended=6, leader=1, left=0, findings=[finding], **figures)
    harness.study._record(said)
    assert [header("trials", "small"), header("status", "small"), header("status")] == before
    [row] = csv.DictReader(io.StringIO(run("status", "small", "--format", "csv").stdout))
    assert (row["outlook.leader.number"], row["counts.paused"], row["driver.pid"]) == ("1", "", "")
    assert json.loads(row["outlook.gain.ci95"]) == [0.1, 0.1]
    assert json.loads(row["outlook.findings"]) == [{"kind": "mild", "value": 0.5}]
    assert header("best", "small")[-3:] == ["leader.number", "leader.mean", "leader.se"]


def test_report_is_recomputed_from_the_journal(finished):
    result = run("report", "small")
    assert result.stdout.strip() == "results/small/report.md"
    text = (finished.folder.root / "report.md").read_text()
    for piece in ("Trial 0 at epoch 2: val/accuracy 0.9", "trials 2: ValueError: no", "[space"):
        assert piece in text
    assert "| true \\ said | a | b |\n| --- | --- | --- |\n| a | 7 | 7 |" in text
    assert "confusion" not in text


def test_nothing_finite_is_exit_code_3(tmp_path, tables, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "small"
    folder.mkdir(parents=True)
    StudyHarness(folder, tables)
    result = run("best", "small")
    assert result.exit_code == 3 and "no trial" in result.stderr


@pytest.mark.parametrize("command", ["status", "trials", "best", "report", "resume", "stop"])
def test_unknown_study(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    result = run(command, "nobody")
    assert result.exit_code == 2 and "no study 'nobody'" in result.stderr


@pytest.mark.parametrize(
    "change",
    [["--seed", "9"], ["--set", "fixed.cell=gru"], ["--set", "stopping.max_epochs=9"]],
)
def test_resume_with_another_search_is_refused(finished, change):
    before = finished.folder.journal.read_bytes()
    finished.journal.close()
    result = run("resume", "small", *change)
    assert result.exit_code == 2 and "cannot be resumed with another" in result.stderr
    assert finished.folder.journal.read_bytes() == before


REGRESSION = ["task=text-regression", "metric=val/rmse", "mode=min"]


@pytest.mark.parametrize(
    ("change", "message"),
    [(["name=other"], "another name"), (REGRESSION, "another task"), (["mode=min"], "is better")],
)
def test_what_would_be_another_study_is_never_changed(finished, change, message):
    finished.journal.close()
    settings = [part for setting in change for part in ("--set", setting)]
    result = run("resume", "small", "--force", *settings)
    assert result.exit_code == 2 and message in result.stderr, result.output


def test_dry_run_of_a_resume_says_what_the_resume_would(finished, monkeypatch):
    """The journal's corpus is made up, so the data is another."""
    monkeypatch.setenv("SEQTUNE_CACHE", str(finished.folder.root / "cache"))
    finished.journal.close()
    before = finished.folder.journal.read_bytes()
    result = run("resume", "small", "--trials", "9", "--dry-run")
    assert result.exit_code == 2 and "--force" in result.stderr
    shutil.move("reviews.csv", "moved.csv")
    moved = ["--data", "moved.csv", "--force", "--dry-run"]
    assert "ask for more with --trials" in run("resume", "small", "--trials", "4", *moved).stderr
    result = run("resume", "small", "--trials", "9", "--seed", "5", *moved)
    assert result.exit_code == 0, result.stderr
    assert f"→ '{Path('moved.csv').absolute()}'" in result.stdout
    assert "changed: search.seed: 1 → 5" in result.stdout
    assert "earlier trials are not compared" in result.stdout
    assert "sample 4:" in result.stdout and "sample 3:" not in result.stdout
    assert "; 5 trials of at most" in result.stdout  # the one in flight is over other data
    assert finished.folder.journal.read_bytes() == before


def test_total_below_the_trials_there_are_is_refused(finished):
    finished.journal.close()
    result = run("resume", "small", "--trials", "2")
    assert result.exit_code == 2 and "has 4 trials already" in result.stderr


def test_one_damaged_study_does_not_hide_the_others(finished):
    broken = finished.folder.root.parent / "broken"
    broken.mkdir()
    (broken / "journal.jsonl").write_text("junk\n")
    result = run("status", "--format", "json")
    assert result.exit_code == 0 and "line 1 is damaged" in result.stderr
    states = {row["study"]: row["state"] for row in json.loads(result.stdout)}
    assert states == {"small": "interrupted", "broken": "damaged"}


def test_local_data_is_remembered_by_its_whole_path(study_file, tmp_path):
    result = run("run", "small.toml", "--data", "reviews.csv", "--dry-run")
    assert f'source = "{tmp_path}/reviews.csv"' in result.stdout


def test_damaged_journal_is_named(finished):
    lines = finished.folder.journal.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"trial", b"trail", 1)
    finished.folder.journal.write_bytes(b"".join(lines))
    for command in ("status", "trials", "resume"):
        result = run(command, "small")
        assert result.exit_code == 2 and "line 3 is damaged" in result.stderr


def test_studies_and_hyperparameters():
    rows = json.loads(run("studies", "--hyperparameters", "--format", "json").stdout)
    assert all(row["meaning"] and row["kind"] and row["source"] for row in rows)


def test_a_task_that_there_is_not_is_refused():
    for more in ([], ["--hyperparameters"]):
        result = run("studies", "--task", "text-clasification", *more)
        assert result.exit_code == 2 and "text-classification" in result.stderr


def test_what_stands_in_brackets_is_printed():
    """Rich would take it for its own markup, leave it out, or raise."""
    out = io.StringIO()
    row = {"[name]": "see [data]", "word": "[/b]"}
    table = as_table("a [title]", [row], ["[name]", "word"], None)
    Console(file=out, width=80).print(table)
    assert all(text in out.getvalue() for text in ("[title]", "[name]", "see [data]", "[/b]"))


def test_stop_of_a_study_at_rest(finished):
    result = run("stop", "small")
    assert result.exit_code == 2 and "not running" in result.stderr


def test_a_study_has_the_name_of_its_folder(finished, tmp_path):
    """Renamed, copied, or a link to another place."""
    results = tmp_path / "results"
    shutil.copytree(results / "small", results / "copied")
    (tmp_path / "elsewhere").mkdir()
    shutil.copytree(results / "small", tmp_path / "elsewhere" / "far")
    (results / "linked").symlink_to(tmp_path / "elsewhere" / "far")
    for name in ("copied", "linked"):
        assert json.loads(run("best", name, "--format", "json").stdout)["study"] == name
        assert search.load(name).present_spec().name == name
        assert run("report", name).exit_code == 0
        assert (results / name / "report.md").read_text().startswith(f"# Study `{name}`")
    assert {row["study"] for row in json.loads(run("status", "--format", "json").stdout)} == {
        "small",
        "copied",
        "linked",
    }


def test_logs_of_a_study_and_of_a_trial(finished):
    folder = finished.folder
    result = run("logs", "small")
    assert result.exit_code == 0 and "nothing was logged" in result.stderr
    folder.logs.mkdir()
    folder.driver_log.write_text("said\n")
    (folder.root / folder.trial_log(2)).write_text("Traceback …\n")
    assert run("logs", "small").stdout == "said\n"
    assert run("logs", "small", "--trial", "2").stdout == "Traceback …\n"
    result = run("logs", "small", "--trial", "4")
    assert result.exit_code == 2 and "no trial 4: it has made 4" in result.stderr


def test_results_in_the_home_folder(finished, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run("best", "small", "--results-dir", "~/results").exit_code == 0
