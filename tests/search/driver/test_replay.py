"""Live and replayed are the same, for every prefix of any history."""

import errno
import io
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.errors import JournalDamaged, StudyFailed
from search.journal import snapshot as snapshot_module
from search.journal.folder import StudyDir
from search.journal.journal import Journal
from search.journal.load import Loaded, load
from search.journal.state import replay
from search.policy.samplers import window
from search.policy.samplers.optuna_adapter import OptunaSampler
from search.policy.samplers.registry import SAMPLERS
from search.spec.study import ResourcesSpec
from tests.study_harness import LOST, StudyHarness, changed, session
from trainables.attempts.messages import Assignment


def drive(harness: StudyHarness, script: list[tuple[int, float | None]]) -> None:
    """Plays a random but possible history: start, report one epoch or several at once, lose an
    attempt, or be forced to search otherwise (by another metric, or over other data)."""
    running: dict[int, Assignment] = {}
    for action, value in script:
        if action == 0 and len(running) < 3:
            work = harness.study.next()
            if isinstance(work, Assignment):
                running[work.number] = work
        elif action == 6:
            spec = harness.study.state.spec
            metric, mode = ("val/loss", "min") if spec.mode == "max" else ("val/accuracy", "max")
            spec = spec.model_copy(update={"metric": metric, "mode": mode})
            data = "k" if value is None or value < 0.5 else f"k{len(harness.events())}"
            harness.study.begin(session(), ResourcesSpec(), changed(spec, data))
            running = {}
        elif running:
            number = sorted(running)[action % len(running)]
            work = running[number]
            if action == 5:
                harness.study.fail(number, work.attempt, LOST)
                del running[number]
            else:
                epoch = harness.study.state.trials[number].epoch + 1
                together = [
                    harness.epoch(work, epoch + i, value) for i in range(max(1, action - 1))
                ]
                if not harness.study.report(together):
                    del running[number]


SCRIPT = st.lists(
    st.tuples(st.integers(0, 6), st.one_of(st.none(), st.floats(0, 1))), min_size=1, max_size=40
)


def picture(state) -> Any:
    trials = state.trials
    return (
        list(trials),
        sorted(trials.running),
        sorted(trials.paused),
        trials.ended_order,
        trials.ends,
        state.rungs,
        state.total,
        state.session,
        state.finished,
        state.best(),
    )


def leader(state) -> Any:
    """The trial with the best epoch, looked for from scratch; of equals the lowest number."""
    cost = state.objective.cost
    found = [
        (cost(e.value), t.number, e.epoch, t, e)
        for t in state.comparable_trials()
        for e in t.epochs
        if e.value is not None
    ]
    return min(found, key=lambda entry: entry[:3])[3:] if found else None


def told(sampler: OptunaSampler, state) -> Any:
    return [
        (t.number, t.state, t.params, t.values, t.intermediate_values, t.system_attrs)
        for t in sampler.history(state).trials()
    ]


def sampler_of(kind: str) -> OptunaSampler:
    sampler = SAMPLERS[kind]()
    assert isinstance(sampler, OptunaSampler)
    return sampler


@pytest.mark.parametrize(
    ("kind", "losers", "latest"),
    [
        ("auto", "pause", window.LATEST),
        ("tpe", "pause", 2),
        pytest.param("tpe", "stop", 2, marks=pytest.mark.lengthy),
        pytest.param("tpe", "stop", window.LATEST, marks=pytest.mark.lengthy),
    ],
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(script=SCRIPT)
def test_replay_of_every_prefix_is_the_live_state(
    script, tmp_path_factory, tables, kind, latest, losers, monkeypatch
):
    """Invariant 2, cut anywhere: state, rungs, what Optuna sees and what it says next."""
    monkeypatch.setattr(window, "LATEST", latest)
    monkeypatch.setattr(window, "BEST", 1)
    tables["stopping"] |= {"losers": losers} | ({"keep_paused": 2} if losers == "pause" else {})
    tables["search"]["sampler"] = kind
    harness = StudyHarness(tmp_path_factory.mktemp("study"), tables)
    live: list[Any] = []
    state, sampler = harness.study.state, sampler_of(kind)
    apply = state.apply

    def apply_and_look(event) -> None:
        """The state moves before the journal has the event."""
        apply(event)
        live.append((repr(picture(state)), repr(told(sampler, state))))
        assert state.best() == leader(state)
        assert state.trials.ended == sum(trial.ended for trial in state.trials)

    monkeypatch.setattr(state, "apply", apply_and_look)
    already = len(harness.events())
    drive(harness, script)
    events = harness.events()
    assert len(events) == already + len(live)
    for index, seen in enumerate(live):
        again = replay(events[: already + index + 1])
        assert (repr(picture(again)), repr(told(sampler_of(kind), again))) == seen
    number = len(state.trials)
    assert replayed_suggestion(events) == sampler.suggest(state, number)
    assert replayed_suggestion(events) == sampler.suggest(state, number), "asked once more"
    harness.journal.close()


def cut(path, where: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(where * len(content))])


def flip(path, where: float) -> None:
    content = bytearray(path.read_bytes())
    if content:
        content[int(where * (len(content) - 1))] ^= 0x10
    path.write_bytes(bytes(content))


DAMAGE = st.tuples(
    st.sampled_from(["state.json", "ended.jsonl"]),
    st.one_of(st.none(), st.sampled_from([cut, flip])),
    st.floats(0, 1),
)


@pytest.mark.lengthy
@pytest.mark.parametrize("losers", ["pause", "stop"])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sessions=st.lists(st.tuples(SCRIPT, st.booleans(), DAMAGE), min_size=1, max_size=4))
def test_a_snapshot_is_the_journal_whatever_befell_it(sessions, tmp_path_factory, tables, losers):
    """Taken at any moment, of any age, whole, torn or flipped: the state is the journal's."""
    tables["stopping"] |= {"losers": losers} | ({"keep_paused": 2} if losers == "pause" else {})
    harness = StudyHarness(tmp_path_factory.mktemp("study"), tables)
    for script, late, (name, damage, where) in sessions:
        half = len(script) // 2
        drive(harness, script[:half])
        harness.snapshot.take(harness.study.state)
        drive(harness, script[half:])
        if late:
            harness.snapshot.take(harness.study.state)
        if damage is not None:
            damage(harness.folder.snapshot / name, where)
        loaded = load(harness.folder)
        again = replay(harness.events())
        assert repr(picture(loaded.state)) == repr(picture(again))
        assert loaded.prefix.size == harness.folder.journal.stat().st_size
        assert told(sampler_of("tpe"), loaded.state) == told(sampler_of("tpe"), again)
        if damage is None:
            assert loaded.kept is not None
        harness.crash_and_reopen()
    harness.journal.close()


def test_a_snapshot_of_a_renamed_study_has_its_name(tmp_path, tables):
    harness = StudyHarness(tmp_path, tables)
    harness.report(harness.begin(), 1, 0.5)
    harness.snapshot.take(harness.study.state)
    harness.folder.root.rename(tmp_path / "other")
    loaded = load(StudyDir(tmp_path / "other"))
    assert loaded.kept and loaded.state.created.name == loaded.state.spec.name == "other"


def test_a_full_disk_ends_the_snapshots_and_not_the_search(tmp_path, tables, monkeypatch):
    harness = StudyHarness(tmp_path, tables)
    harness.study.follow(lambda event, state: setattr(harness.snapshot, "_due", 0.0))
    monkeypatch.setattr(snapshot_module, "_digest", full_disk)
    for _ in range(3):
        work = harness.begin()
        while harness.report(work, harness.study.state.trials[work.number].epoch + 1, 0.5):
            pass
    monkeypatch.undo()
    assert load(harness.folder).kept is None
    harness.crash_and_reopen()
    assert load_after_taking(harness).kept is not None


def test_a_snapshot_never_holds_what_the_journal_does_not(tmp_path, tables, monkeypatch):
    """The first of two epochs was applied when the second's checkpoint was not found; or the disk
    took nothing."""
    harness = StudyHarness(tmp_path, tables)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    for fault in ("checkpoint", "append"):
        work = harness.begin()
        epoch = harness.study.state.trials[work.number].epoch + 1
        reports = [harness.epoch(work, epoch, 0.5), harness.epoch(work, epoch + 1, 0.6)]
        if fault == "checkpoint":
            (harness.folder.root / reports[1].checkpoint.path).unlink()
        else:
            monkeypatch.setattr(os, "fsync", lambda descriptor: full_disk(b""))
        with pytest.raises(StudyFailed):
            harness.study.report(reports)
        harness.snapshot.close(harness.study.state)
        monkeypatch.undo()
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        loaded, again = load(harness.folder), replay(harness.events())
        assert repr(picture(loaded.state)) == repr(picture(again))
        harness.crash_and_reopen()
    harness.journal.close()


def test_a_disk_that_is_full_in_the_midst_of_a_snapshot(tmp_path, tables):
    """What the file still holds fails again when it is closed."""
    harness = StudyHarness(tmp_path, tables)

    class Full(io.BytesIO):
        def flush(self) -> None:
            full_disk(b"")

        def close(self) -> None:
            full_disk(b"")

    harness.snapshot._file = Full()
    harness.snapshot._due = 0.0
    harness.report(harness.begin(), 1, 0.5)
    assert harness.snapshot._file is None
    harness.snapshot.close(harness.study.state)


def test_a_journal_that_was_replaced_meanwhile_is_read_anew(tmp_path, tables):
    """A backup was restored while the command waited for the lock."""
    harness = StudyHarness(tmp_path, tables)
    backup = harness.folder.journal.read_bytes()
    harness.report(harness.begin(), 1, 0.5)
    before = load(harness.folder)
    harness.folder.journal.write_bytes(backup)
    loaded = load(harness.folder, before)
    assert loaded.state is not before.state and not loaded.state.trials
    with pytest.raises(JournalDamaged, match="shorter"):
        Journal(harness.folder.journal, prefix=before.prefix)
    assert harness.folder.journal.read_bytes() == backup


def test_a_snapshot_that_does_not_fit_is_no_fault_of_the_journals(tmp_path, tables, monkeypatch):
    harness = StudyHarness(tmp_path, tables)
    work = harness.begin()
    harness.report(work, 1, 0.5)
    harness.snapshot.take(harness.study.state)
    ahead = snapshot_module.read_snapshot(harness.folder)
    assert ahead is not None
    harness.report(work, 2, 0.6)
    ahead.state.apply(harness.events()[-1])  # which the journal is about to bring once more
    monkeypatch.setattr("search.journal.load.read_snapshot", lambda folder: ahead)
    loaded = load(harness.folder)
    assert loaded.kept is None and loaded.state.trials[0].epoch == 2


def full_disk(content: bytes) -> str:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def load_after_taking(harness: StudyHarness) -> Loaded:
    harness.snapshot.take(harness.study.state)
    return load(harness.folder)


@pytest.mark.lengthy
@pytest.mark.parametrize("kind", ["auto", "tpe", "gp"])
def test_a_model_of_the_past_says_the_same_after_a_replay(tmp_path, tables, kind, monkeypatch):
    """Behind more trials than are seen, and more than a sampler draws at random to begin with."""
    monkeypatch.setattr(window, "LATEST", 12)
    monkeypatch.setattr(window, "BEST", 3)
    tables["search"]["sampler"] = kind
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=24)
    for _ in range(24):
        work = harness.begin()
        value = 1 - abs(work.hyperparameters["dropout"] - 0.3)
        epoch = 1
        while harness.report(work, epoch, value):
            epoch += 1
    state = harness.study.state
    live = SAMPLERS[kind]().suggest(state, 24)
    assert replayed_suggestion(harness.events()) == live
    assert SAMPLERS["random"]().suggest(state, 24).params != live.params


def replayed_suggestion(events):
    state = replay(events)
    return SAMPLERS[state.spec.search.sampler]().suggest(state, len(state.trials))


@pytest.mark.lengthy
@pytest.mark.parametrize("kind", ["auto", "tpe", "random", "gp"])
def test_every_sampler_stays_in_the_space_and_repeats(tmp_path, tables, kind):
    tables["search"]["sampler"] = kind
    tables["first"] = [{"hidden_size": 8, "dropout": 0.25}]
    suggestions = []
    for run in ("a", "b"):
        (tmp_path / run).mkdir()
        harness = StudyHarness(tmp_path / run, tables)
        harness.crash_and_reopen(total=14)
        for _ in range(14):
            work = harness.begin()
            value = 1 - abs(work.hyperparameters["dropout"] - 0.3)
            for epoch in (1, 2, 3, 4):
                if not harness.report(work, epoch, value):
                    break
        trials = harness.study.state.trials
        suggestions.append([trial.params for trial in trials])
        assert trials[0].origin == "first" and trials[0].params["dropout"] == 0.25
        assert {trial.origin for trial in trials[1:]} == {kind}
        for trial in trials:
            assert trial.params["hidden_size"] in (4, 8)
            assert 1e-3 <= trial.params["learning_rate"] <= 1e-1
    assert suggestions[0] == suggestions[1]
