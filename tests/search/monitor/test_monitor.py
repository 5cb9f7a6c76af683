"""TensorBoard files as TensorBoard itself reads them, and the lines of progress."""

import io
import math
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.data.provider import ListHyperparametersResult
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, list_session_groups, plugin_data_pb2
from tensorboard.plugins.hparams.backend_context import Context

from search.driver.retention import CheckpointKeeper
from search.journal.events import OutlookTaken, SearchConcluded
from search.journal.folder import StudyDir
from search.journal.journal import read_journal
from search.journal.layout import STUDY_RUN, trial_run
from search.monitor import event_files
from search.monitor.boards import join_boards
from search.monitor.progress import Progress
from search.monitor.tensorboard import TensorBoardWriter
from search.report.markdown import markdown_report
from search.spec.resolve import resolve
from tests.study_harness import LOST, StudyHarness, changed


def watched(tmp_path, tables):
    harness = StudyHarness(tmp_path, tables)
    board = TensorBoardWriter(harness.folder, harness.study.state, harness.journal.prefix)
    harness.study.follow(board)
    harness.study.follow(CheckpointKeeper(harness.folder, harness.study.state, keep_best=2))
    return harness, board


def read(folder):
    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return accumulator


def test_scalars_and_hyperparameters(tmp_path, tables):
    harness, board = watched(tmp_path, tables)
    work = harness.begin()
    for epoch, value in ((1, 0.5), (2, 0.625)):
        harness.report(work, epoch, value)
    board.close()
    run = read(harness.folder.tensorboard / trial_run(0))
    points = [(e.step, e.value) for e in run.Scalars("val/accuracy")]
    assert points == [(1, 0.5), (2, 0.625)]
    root = read(harness.folder.tensorboard / STUDY_RUN)
    metadata = root.summary_metadata["_hparams_/experiment"].plugin_data.content
    experiment = plugin_data_pb2.HParamsPluginData.FromString(metadata).experiment
    infos = {info.name: info for info in experiment.hparam_infos}
    assert infos["dropout"].domain_interval.max_value == 0.5
    assert [v.number_value for v in infos["hidden_size"].domain_discrete.values] == [4, 8]
    assert all(info.differs for info in experiment.hparam_infos)
    assert experiment.metric_infos[0].name.tag == "best/val/accuracy"


def test_a_resumed_session_writes_every_epoch_once(tmp_path, tables):
    harness, board = watched(tmp_path, tables)
    work = harness.begin()
    harness.report(work, 1, 0.5)
    board.close()
    harness.crash_and_reopen()
    again = TensorBoardWriter(harness.folder, harness.study.state, harness.journal.prefix)
    harness.study.follow(again)
    harness.report(harness.begin(), 2, 0.625)
    again.close()
    run = read(harness.folder.tensorboard / trial_run(0))
    assert [e.step for e in run.Scalars("val/accuracy")] == [1, 2]
    times = [line.time for line in read_journal(harness.folder.journal)]
    assert all(min(times) <= e.wall_time <= max(times) + 1 for e in run.Scalars("val/accuracy"))


def accuracies(harness: StudyHarness) -> list[tuple[int, float]]:
    run = read(harness.folder.tensorboard / trial_run(0))
    return [(e.step, e.value) for e in run.Scalars("val/accuracy")]


def table_of(folder: Path) -> list[dict[str, Any]]:
    """The rows of HParams' table, as TensorBoard's own code makes them of the files."""
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(folder))
    context = Context(TBContext(data_provider=provider))
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0, slice_size=100, aggregation_type=api_pb2.AGGREGATION_AVG
    )
    request.allowed_statuses.extend(range(4))
    request_context = RequestContext()
    metadata = context.hparams_metadata(request_context, "")
    experiment = context.experiment_from_metadata(
        request_context, "", True, metadata, ListHyperparametersResult([], [])
    )
    names = [info.name for info in experiment.hparam_infos]
    handler = list_session_groups.Handler(request_context, context, "", request)
    rows = []
    for group in handler.run().session_groups:
        values = {name: group.hparams[name] for name in names}
        row = {k: v.string_value or v.number_value for k, v in values.items()}
        row |= {value.name.tag: value.value for value in group.metric_values}
        [session] = group.sessions
        row["seconds"] = session.end_time_secs - session.start_time_secs
        rows.append(row | {"name": group.name, "status": session.status})
    return sorted(rows, key=lambda row: row["name"])


def test_the_table_of_hyperparameters_has_every_trial_and_its_best(tmp_path, tables):
    """Running, stopped, failed and completed ones; no cell is without a value."""
    harness, board = watched(tmp_path, tables)
    done, stopped, running, lost = (harness.begin() for _ in range(4))
    for epoch, value in enumerate((0.5, 0.9, 0.7, 0.6), start=1):
        harness.report(done, epoch, value)
    assert not harness.report(stopped, 1, 0.1)
    harness.report(running, 1, 0.8)
    while not harness.study.state.trials[lost.number].ended:
        harness.study.fail(lost.number, harness.study.state.trials[lost.number].attempts, LOST)
        again = harness.study.next() if harness.study.state.trials.next_waiting() else None
        assert again is None or again.number == lost.number
    board.close()
    rows = table_of(harness.folder.tensorboard)
    assert [row["name"] for row in rows] == [f"trial-{n:04d}" for n in range(4)]
    fates = ["completed", "stopped at 1", "running", "failed: lost"]
    assert [row["fate"] for row in rows] == fates
    assert [row.get("best/val/accuracy") for row in rows] == [
        pytest.approx(0.9),
        pytest.approx(0.1),
        pytest.approx(0.8),
        None,  # it has never trained an epoch
    ]
    assert [row.get("trial/epochs") for row in rows] == [4, 1, 1, None]
    assert [rows[0]["seconds"], rows[1]["seconds"]] == pytest.approx([4, 1], abs=0.1)
    assert all(row["origin"] == "tpe" and row["host"] in ("h", "-") for row in rows)
    for row in rows:
        assert row["log10 learning_rate"] == pytest.approx(math.log10(row["learning_rate"]))
    ended = api_pb2.STATUS_SUCCESS, api_pb2.STATUS_SUCCESS, api_pb2.STATUS_UNKNOWN
    assert [row["status"] for row in rows] == [*ended, api_pb2.STATUS_FAILURE]


def test_the_studys_own_run_shows_where_it_stood(tmp_path, tables):
    harness, board = watched(tmp_path, tables)
    works = [harness.begin() for _ in range(2)]
    for epoch, value in enumerate((0.5, 0.9, 0.7, 0.6), start=1):
        harness.report(works[0], epoch, value)
    board._move_mark()
    harness.report(works[1], 1, 0.1)  # behind the mark: a killed session's
    harness.crash_and_reopen()
    TensorBoardWriter(harness.folder, harness.study.state, harness.journal.prefix).close()
    run = read(harness.folder.tensorboard / STUDY_RUN)
    assert [(e.step, round(e.value, 4)) for e in run.Scalars("best/val/accuracy")][-2:] == [
        (2, 0.9),
        (2, 0.9),
    ]
    assert [e.value for e in run.Scalars("study/pruned")] == [0, 1, 1]
    assert [e.value for e in run.Scalars("study/slots_busy")] == [1, 0, 0]


def ended_trials(harness: StudyHarness, values: list[float]) -> None:
    for value in values:
        work = harness.begin()
        epoch = 1
        while harness.report(work, epoch, value):
            epoch += 1


@pytest.mark.parametrize(
    ("shown", "runs"), [("all", [0, 1, 2, 3, 4]), ("top:2", [0, 1, 3]), ("study", [])]
)
def test_which_trials_have_a_run(tmp_path, tables, shown, runs):
    tables["resources"] = {"tensorboard": shown}
    harness = StudyHarness(tmp_path, tables)
    harness.resources = {"tensorboard": shown}
    harness.crash_and_reopen()
    board = TensorBoardWriter(harness.folder, harness.study.state, harness.journal.prefix)
    harness.study.follow(board)
    ended_trials(harness, [0.5, 0.7, 0.4])
    board.close()
    harness.crash_and_reopen()
    board = TensorBoardWriter(harness.folder, harness.study.state, harness.journal.prefix)
    harness.study.follow(board)
    ended_trials(harness, [0.6, 0.1])
    board.close()
    names = sorted(path.name for path in harness.folder.tensorboard.iterdir() if path.is_dir())
    assert names == ["study", *(f"trial-{number:04d}" for number in runs)]
    for number in runs:
        run, trial = (
            read(harness.folder.tensorboard / trial_run(number)),
            harness.study.state.trials[number],
        )
        points = [(e.step, e.value) for e in run.Scalars("best/val/accuracy")]
        assert points == [(n, pytest.approx(trial.best_value)) for n in range(1, trial.epoch + 1)]
    assert len(read(harness.folder.tensorboard / STUDY_RUN).Scalars("study/pruned")) == 5


def test_a_changed_study_is_written_anew_by_its_present_metric(tmp_path, tables):
    """Old trials may have values that the new space does not take, and were valued otherwise."""
    tables["space"]["weight_decay"] = [0.0, 0.01]
    harness, board = watched(tmp_path, tables)
    for loss in (0.7, 0.3):
        work = harness.begin()
        for epoch in (1, 2, 3, 4):
            harness.report(work, epoch, 0.9, loss=loss)
    board.close()
    tables["space"]["weight_decay"] = {"low": 1e-5, "high": 0.1, "log": True}
    spec = resolve(tables | {"metric": "val/loss", "mode": "min"}, "x")
    harness.crash_and_reopen(change=changed(spec))
    TensorBoardWriter(harness.folder, harness.study.state, harness.journal.prefix).close()
    study = read(harness.folder.tensorboard / STUDY_RUN)
    assert [round(e.value, 4) for e in study.Scalars("best/val/loss")] == [0.7, 0.3]
    assert [
        round(e.value, 4)
        for e in read(harness.folder.tensorboard / trial_run(0)).Scalars("best/val/loss")
    ][-1] == 0.7
    harness.crash_and_reopen(change=changed(spec, "other"))
    TensorBoardWriter(harness.folder, harness.study.state, harness.journal.prefix).close()
    study = read(harness.folder.tensorboard / STUDY_RUN)
    assert "best/val/loss" not in study.Tags()["scalars"], "trials over other data say nothing"


def test_a_mark_of_another_journal_is_passed_over(tmp_path, tables):
    harness, board = watched(tmp_path, tables)
    backup = harness.folder.journal.read_bytes()
    harness.report(harness.begin(), 1, 0.5)
    board.close()
    harness.journal.close()
    harness.folder.journal.write_bytes(backup)
    harness.open()
    TensorBoardWriter(harness.folder, harness.study.state, harness.journal.prefix).close()
    assert [path.name for path in harness.folder.tensorboard.iterdir() if path.is_dir()] == [
        "study"
    ]


def test_several_studies_are_one_table(tmp_path, tables):
    studies = []
    for name, metric in (("one", "val/accuracy"), ("two", "val/loss")):
        own: dict[str, Any] = {"metric": metric, "mode": "max"}
        if name == "two":
            more = {"weight_decay": {"low": 0.0, "high": 0.1}}
            own = {"metric": metric, "mode": "min", "space": tables["space"] | more}
        harness = StudyHarness(tmp_path / name, tables | own)
        board = TensorBoardWriter(harness.folder, harness.study.state, harness.journal.prefix)
        harness.study.follow(board)
        ended_trials(harness, [0.5, 0.7])
        board.close()
        harness.folder.root.rename(tmp_path / name / name)
        studies.append(StudyDir(tmp_path / name / name))
    (tmp_path / "board").mkdir()
    join_boards(studies, tmp_path / "board")
    rows = table_of(tmp_path / "board")
    assert [row["name"] for row in rows] == [
        *("one/trial-0000", "one/trial-0001", "two/trial-0000", "two/trial-0001")
    ]
    assert [row["study"] for row in rows] == ["small"] * 4, "as they were called when they ran"
    assert all("weight_decay" in row and "hidden_size" in row for row in rows)
    assert all(row.get("best/val/accuracy") for row in rows[:2])
    assert all(row.get("best/val/loss") for row in rows[2:])


def test_files_go_on_behind_their_mark_or_are_written_anew(tmp_path, tables):
    """A killed session leaves epochs behind the mark, whether or not they came into the files."""
    harness, board = watched(tmp_path, tables)
    work = harness.begin()
    harness.report(work, 1, 0.5)
    board._move_mark()
    harness.report(work, 2, 0.625)
    before = {path: path.read_bytes() for path in harness.folder.tensorboard.rglob("*tfevents*")}
    harness.crash_and_reopen()
    TensorBoardWriter(harness.folder, harness.study.state, harness.journal.prefix).close()
    assert all(path.read_bytes() == content for path, content in before.items())
    points = [
        (e.step, e.value)
        for e in read(harness.folder.tensorboard / trial_run(0)).Scalars("val/accuracy")
    ]
    assert sorted(set(points)) == [(1, 0.5), (2, 0.625)]
    harness.folder.board_mark.unlink()
    TensorBoardWriter(harness.folder, harness.study.state, harness.journal.prefix).close()
    points = [
        (e.step, e.value)
        for e in read(harness.folder.tensorboard / trial_run(0)).Scalars("val/accuracy")
    ]
    assert points == [(1, 0.5), (2, 0.625)]


def test_open_files_are_bounded(tmp_path, tables, monkeypatch):
    monkeypatch.setattr(event_files, "OPEN", 2)
    harness, board = watched(tmp_path, tables)
    works = [harness.begin() for _ in range(4)]
    for epoch in (1, 2):
        for work in works:
            harness.report(work, epoch, 0.5 + work.number / 10 + epoch / 100)
            assert len(board._files._open) <= 2
    board.close()
    run = read(harness.folder.tensorboard / trial_run(3))
    assert [e.step for e in run.Scalars("val/accuracy")] == [1, 2]


def test_kept_checkpoints_are_bounded(tmp_path, tables):
    tables["stopping"]["max_epochs"] = 9
    harness, _ = watched(tmp_path, tables)
    work = harness.begin()
    values = [0.1, 0.9, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    for epoch, value in enumerate(values, start=1):
        harness.report(work, epoch, value)
    kept = sorted(p.name[-15:-12] for p in harness.folder.checkpoints.rglob("*.safetensors"))
    assert kept == ["002", "007", "008"]
    harness.report(work, 9, 0.8)
    kept = sorted(p.name[-15:-12] for p in harness.folder.checkpoints.rglob("*.safetensors"))
    assert kept == ["002"]


def test_nothing_of_what_was_reported_late_stays(tmp_path, tables):
    harness, _ = watched(tmp_path, tables)
    work = harness.begin()
    together = [harness.epoch(work, epoch, 0.5) for epoch in (1, 2, 3, 4)]
    (harness.folder.root / work.unreported).write_text("these epochs, until they were reported")
    assert not harness.study.report(together)
    kept = [path.name for path in harness.folder.checkpoints.rglob("*.*")]
    assert kept == ["attempt-01-epoch-001.safetensors"]


def test_only_the_best_ended_trials_keep_theirs(tmp_path, tables):
    tables["stopping"]["max_epochs"] = 1
    harness, _ = watched(tmp_path, tables)
    for value in (0.5, 0.9, 0.7, 0.8, 0.1):
        harness.report(harness.begin(), 1, value)
    stray = harness.folder.checkpoints_of(0) / "attempt-01-epoch-009.safetensors"
    stray.parent.mkdir()
    stray.write_bytes(b"written, and killed before its line")
    CheckpointKeeper(harness.folder, harness.study.state, keep_best=2)
    kept = {p.parent.name for p in harness.folder.checkpoints.rglob("*.safetensors")}
    assert kept == {"trial-0001", "trial-0003"}


def test_another_metric_never_takes_the_last_checkpoint_of_a_trial(tmp_path, tables):
    """The best by the new metric has gone already; what is left of the trial stays."""
    harness = StudyHarness(tmp_path, tables)
    harness.study.follow(CheckpointKeeper(harness.folder, harness.study.state, keep_best=5))
    work = harness.begin()
    for epoch, value in enumerate((0.5, 0.6, 0.7, 0.9), start=1):
        harness.report(work, epoch, value, loss=value)
    kept = list(harness.folder.checkpoints.rglob("*.safetensors"))
    assert len(kept) == 1
    for data in ("k", "other", "k"):
        spec = resolve(tables | {"metric": "val/loss", "mode": "min"}, "x")
        harness.crash_and_reopen(change=changed(spec, data))
        CheckpointKeeper(harness.folder, harness.study.state, keep_best=5)
        assert list(harness.folder.checkpoints.rglob("*.safetensors")) == kept
    report = markdown_report(harness.folder, harness.study.state, running=False)
    assert "its weights are not kept" in report


def test_a_trial_that_goes_on_under_another_metric_keeps_its_newest_and_best(tmp_path, tables):
    """And not what a killed attempt wrote without a line."""
    tables["stopping"] |= {"max_epochs": 9, "grace_epochs": 9}
    harness = StudyHarness(tmp_path, tables)
    work = harness.begin()
    for epoch, loss in enumerate((0.5, 0.1, 0.4, 0.3, 0.2), start=1):
        harness.report(work, epoch, 0.5 + loss, loss=loss)
    stray = harness.folder.checkpoints_of(0) / "attempt-01-epoch-006.safetensors"
    stray.write_bytes(b"written, and killed before its line")
    spec = resolve(tables | {"metric": "val/loss", "mode": "min"}, "x")
    harness.crash_and_reopen(change=changed(spec, "k"))
    CheckpointKeeper(harness.folder, harness.study.state, keep_best=5)
    kept = sorted(p.name[-15:-12] for p in harness.folder.checkpoints.rglob("*.safetensors"))
    assert kept == ["002", "004", "005"]


def test_plain_lines_and_table(tmp_path, tables, capsys):
    harness, _ = watched(tmp_path, tables)
    with Progress(harness.study.state, console=Console(file=io.StringIO())) as progress:
        harness.study.follow(progress)
        work = harness.begin()
        for epoch in (1, 2, 3, 4):
            harness.report(work, epoch, 0.5)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "trial 0 epoch 1/4 val/accuracy 0.5 in 1.0 s"
    assert lines[-1].startswith("trial 0 completed; 1/6 done, 0 stopped early, best 0.5")
    screen = io.StringIO()
    with Progress(
        harness.study.state, console=Console(file=screen, force_terminal=True, width=120)
    ) as progress:
        progress.redraw()
    assert "completed" in screen.getvalue() and "hidden_size" in screen.getvalue()


def test_a_machine_without_a_compiler_is_named_once(tmp_path, tables, capsys):
    harness, _ = watched(tmp_path, tables)
    with Progress(harness.study.state, console=Console(file=io.StringIO())) as progress:
        harness.study.follow(progress)
        work = harness.begin()
        harness.report(work, 1, 0.5, recurrence="own")
        progress.redraw()
        assert "note" not in capsys.readouterr().err
        harness.report(work, 2, 0.5, recurrence="torch")
        harness.report(work, 3, 0.5, recurrence="torch")
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note")]
    assert len(notes) == 1 and "h has no C++ compiler" in notes[0]


def test_a_pause_is_told_and_keeps_the_last_checkpoint(tmp_path, tables, capsys):
    tables["stopping"] |= {"losers": "pause", "grace_epochs": 3, "max_epochs": 9}
    harness, board = watched(tmp_path, tables)
    with Progress(harness.study.state, console=Console(file=io.StringIO())) as progress:
        harness.study.follow(progress)
        work = harness.begin()
        for epoch, value in ((1, 0.5), (2, 0.4), (3, 0.3)):
            harness.report(work, epoch, value)
        harness.report(harness.begin(), 1, 0.6)
    board.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[2].endswith("in 1.0 s; paused (no room yet among the best 1/2 at epoch 3)")
    kept = sorted(p.name[-15:-12] for p in harness.folder.checkpoints_of(0).glob("*.safetensors"))
    assert kept == ["001", "003"], "its best, and the one that it goes on from"
    assert "paused" in markdown_report(harness.folder, harness.study.state, running=False)


def test_lines_hold_where_the_study_has_changed_or_paused_trials_go_on(tmp_path, tables, capsys):
    tables["stopping"] |= {"losers": "pause", "grace_epochs": 1, "max_epochs": 9}
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=6)
    for number, work in enumerate([harness.begin() for _ in range(6)]):
        harness.report(work, 1, 0.9 - number / 100)
    longer = tables | {"stopping": tables["stopping"] | {"max_epochs": 20}}
    harness.crash_and_reopen(change=changed(resolve(longer, "x"), "k"))
    state = harness.study.state
    with Progress(state, console=Console(file=io.StringIO())) as progress:
        harness.study.follow(progress)
        work = harness.begin()
        assert "time left unknown" in progress._headline(), "fewer are done than at the start"
        harness.report(work, 2, 0.9)
        progress.redraw()
        assert f"trial {work.number} epoch 2/9 " in capsys.readouterr().err, "as it began"
        state.apply(
            OutlookTaken(
                ended=0,
                leader=0,
                mean=0.5,
                se=0.1,
                chance=0.9,
                left=5,
                gain=0.001,
                gain_low=0.0,
                gain_high=0.002,
            )
        )
        assert "5 more may gain 0.001" in progress._headline()
        state.apply(SearchConcluded(total=6, reason="nothing left to find"))
        assert "leads with 90%" in progress._headline() and "may gain" not in progress._headline()
