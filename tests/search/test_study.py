"""The study without Ray: decisions, retries, replay, and what Optuna is told."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from search.errors import StudyFailed
from search.events import FORMAT, SessionStarted, SpecChanged, StudyCreated
from search.journal import Journal, read_journal
from search.preparation import Prepared, _choices
from search.sampler import Sampler
from search.spec import ResourcesSpec, StudySpec, resolve
from search.state import replay
from search.store import StudyDir
from search.study import Failure, Study
from trainables.data.corpus import Corpus
from trainables.embeddings.vectors import Vectors
from trainables.messages import Assignment, Checkpoint, Report, Restored

PREPARED = Prepared(Corpus(Path("/corpus"), ("a", "b"), 10, {}, ()))
CONFUSION = {f"val/confusion/{pair}": 7.0 for pair in ("a as a", "a as b", "b as a", "b as b")}
LOST = Failure("lost", "The actor died", "The actor died\nlong story")


def session(total: int = 6) -> SessionStarted:
    return SessionStarted(pid=1, host="h", total=total, resources={}, versions={}, code={})


class Bench:
    """A study over a real journal, driven by hand."""

    def __init__(self, folder, tables: dict[str, Any], max_failures: int = 2) -> None:
        self.folder = StudyDir(folder)
        self.max_failures = max_failures
        if not self.folder.journal.exists():
            journal = Journal(self.folder.journal)
            spec = resolve(tables, "x").model_dump(mode="json")
            journal.append(
                StudyCreated(format=FORMAT, name="small", spec=spec, corpus="k", seqtune="0")
            )
            journal.close()
        self.open()

    def open(self, total: int = 6, change: SpecChanged | None = None) -> None:
        events = self.events()
        self.journal = Journal(self.folder.journal)
        self.study = Study(self.folder, self.journal, replay(events), PREPARED)
        self.study.replay_into_sampler(events)
        self.study.begin(session(total), ResourcesSpec(max_failures=self.max_failures), change)

    def crash_and_reopen(self, total: int = 6, change: SpecChanged | None = None) -> None:
        self.journal.close()
        self.open(total, change)

    def events(self):
        if not self.folder.journal.exists():
            return []
        return [line.event for line in read_journal(self.folder.journal)]

    def kinds(self) -> list[str]:
        return [event.event for event in self.events()]

    def report(
        self, work: Assignment, epoch: int, value: float | None, loss: float = 0.5, **more: Any
    ) -> bool:
        path = f"{work.checkpoint_prefix}epoch-{epoch:03d}.safetensors"
        (self.folder.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder.root / path).write_bytes(b"x")
        return self.study.report(
            Report(
                number=work.number,
                attempt=work.attempt,
                epoch=epoch,
                metrics={"val/accuracy": value, "val/loss": loss, "train/loss": 0.5} | CONFUSION,
                seconds=1.0,
                checkpoint=Checkpoint(epoch=epoch, path=path, digest="d"),
                host="h",
                device="cpu",
                threads=1,
                processor="p",
                **more,
            )
        )


def changed(spec: StudySpec, corpus: str = "k") -> SpecChanged:
    return SpecChanged(spec=spec.model_dump(mode="json"), corpus=corpus, changes=["something"])


def told_trials(bench: Bench) -> list[Any]:
    return bench.study._sampler.study.trials


@pytest.fixture
def bench(tmp_path, tables):
    return Bench(tmp_path, tables)


def test_good_trial_completes_and_bad_one_is_pruned(bench):
    good, bad = bench.study.next(), bench.study.next()
    assert (good.number, bad.number) == (0, 1)
    assert all(bench.report(good, epoch, 0.8) for epoch in (1, 2, 3))
    assert not bench.report(good, 4, 0.7)
    assert not bench.report(bad, 1, 0.5)
    states = [trial.state for trial in bench.study.state.trials]
    assert states == ["completed", "pruned"]
    told = bench.study._sampler.study.trials
    assert [t.state for t in told] == [TrialState.COMPLETE, TrialState.PRUNED]
    assert [t.value for t in told] == [0.8, 0.5]
    assert told[0].intermediate_values == {1: 0.8, 2: 0.8, 3: 0.8, 4: 0.7}
    assert bench.study.state.best().number == 0


def test_patience_ends_a_trial_that_no_longer_improves(bench, tables):
    tables["fixed"]["patience"] = 2
    tables["stopping"] |= {"max_epochs": 9, "grace_epochs": 9}
    bench.crash_and_reopen(change=changed(resolve(tables, "x")))
    work = bench.study.next()
    assert [
        bench.report(work, epoch, value)
        for epoch, value in enumerate((0.5, 0.7, 0.6, 0.71, 0.71), start=1)
    ] == [True] * 5
    assert not bench.report(work, 6, 0.7)
    trial = bench.study.state.trials[0]
    assert (trial.state, trial.reason) == ("completed", "no better since epoch 4")


def test_value_that_is_not_finite_fails_the_trial(bench):
    work = bench.study.next()
    assert bench.report(work, 1, 0.9)
    assert not bench.report(work, 2, None)
    trial = bench.study.state.trials[0]
    assert trial.state == "failed" and "not finite at epoch 2" in trial.reason
    told = bench.study._sampler.study.trials[0]
    assert told.state == TrialState.FAIL
    assert bench.study.state.best().number == 0  # its first epoch was good


def test_lost_attempts_are_retried_from_their_checkpoint_and_bounded(bench):
    first = bench.study.next()
    bench.report(first, 1, 0.6)
    bench.study.fail(first.number, first.attempt, LOST)
    second = bench.study.next()
    assert (second.number, second.attempt, second.acknowledged) == (0, 2, 1)
    assert [c.epoch for c in second.restore] == [1]
    bench.study.fail(0, 2, LOST)
    third = bench.study.next()
    bench.study.fail(0, 3, LOST)
    assert third.attempt == 3
    trial = bench.study.state.trials[0]
    assert trial.state == "failed" and trial.reason == "The actor died"
    assert bench.study.next().number == 1


@pytest.mark.parametrize(
    ("kind", "attempts"), [("exception", 1), ("memory", 2), ("hung", 3), ("lost", 3)]
)
def test_how_often_a_failure_is_retried(bench, kind, attempts):
    for attempt in range(1, attempts + 1):
        work = bench.study.next()
        assert (work.number, work.attempt) == (0, attempt)
        bench.study.fail(0, attempt, Failure(kind, "cause", "detail"))
    assert bench.study.state.trials[0].state == "failed"


def test_no_retry_at_all(tmp_path, tables):
    bench = Bench(tmp_path, tables, max_failures=0)
    bench.study.next()
    bench.study.fail(0, 1, LOST)
    assert bench.study.state.trials[0].state == "failed"


def test_reports_of_an_old_attempt_are_ignored(bench):
    old = bench.study.next()
    bench.study.fail(0, 1, LOST)
    new = bench.study.next()
    before = bench.folder.journal.read_bytes()
    assert not bench.report(old, 1, 0.9)
    bench.study.fail(0, 1, LOST)
    assert bench.folder.journal.read_bytes() == before
    assert bench.report(new, 1, 0.9)
    assert not bench.report(new, 1, 0.9)  # the same epoch twice
    assert not bench.report(new, 3, 0.9)  # an epoch left out


def test_a_decision_not_carried_out_is_carried_out_at_resume(bench):
    work = bench.study.next()
    for epoch in (1, 2, 3, 4):
        bench.report(work, epoch, 0.8)
    bench.journal.close()
    lines = bench.folder.journal.read_bytes().splitlines(keepends=True)
    bench.folder.journal.write_bytes(b"".join(lines[:-1]))  # killed before the end's line
    bench.open()
    assert bench.kinds()[-2:] == ["session", "end"]
    assert bench.study.state.trials[0].state == "completed"


def test_running_trials_wait_again_and_go_first(bench):
    bench.study.next()
    work = bench.study.next()
    bench.report(work, 1, 0.9)
    bench.crash_and_reopen()
    again = [bench.study.next() for _ in range(3)]
    handed_out = [(w.number, w.attempt, w.acknowledged) for w in again]
    assert handed_out == [(0, 2, 0), (1, 2, 1), (2, 1, 0)]
    assert "attempt-02" in again[1].checkpoint_prefix


def test_finished_only_when_the_total_has_ended(bench):
    bench.crash_and_reopen(total=1)
    work = bench.study.next()
    assert bench.study.next() == "wait"
    bench.study.fail(work.number, work.attempt, Failure("exception", "bad", "bad"))
    assert bench.study.next() == "finished"
    bench.crash_and_reopen(total=2)
    assert bench.study.next().number == 1


def test_what_happened_on_the_way_is_journaled(bench):
    work = bench.study.next()
    bench.report(work, 1, 0.9)
    bench.study.fail(0, 1, LOST)
    again = bench.study.next()
    bench.report(again, 2, 0.9, restored=Restored(epoch=0, reason="digest differs"))
    assert bench.kinds()[-2:] == ["restored", "epoch"]


def test_checkpoint_that_only_another_machine_sees_ends_the_study(bench, monkeypatch):
    monkeypatch.setattr("search.store.time.sleep", lambda seconds: None)
    work = bench.study.next()
    monkeypatch.setattr(Path, "write_bytes", lambda path, content: len(content))
    with pytest.raises(StudyFailed, match="all nodes share"):
        bench.report(work, 1, 0.9)
    assert bench.study.state.trials[0].epochs == []


def test_missing_checkpoints_are_not_offered(bench):
    work = bench.study.next()
    for epoch in (1, 2, 3):
        bench.report(work, epoch, 0.9)
    trial = bench.study.state.trials[0]
    for epoch in trial.epochs[:2]:
        (bench.folder.root / epoch.checkpoint.path).unlink()
    bench.crash_and_reopen()
    assert [c.epoch for c in bench.study.next().restore] == [3]


def test_a_forced_change_holds_for_later_trials_and_replays(bench, tables):
    old = bench.study.next()
    bench.report(old, 1, 0.9)
    bench.report(old, 2, 0.8)
    tables["space"] = {"hidden_size": [8, 16], "weight_decay": {"low": 0.0, "high": 0.1}}
    tables["fixed"]["cell"] = "gru"
    tables["stopping"]["grace_epochs"] = 2
    spec = resolve(tables, "x")
    bench.crash_and_reopen(change=changed(spec))
    assert bench.study.state.asha.rungs == {2: {0: 0.8}}
    assert bench.study.next().hyperparameters == old.hyperparameters
    new = bench.study.next()
    assert new.hyperparameters.cell == "gru" and new.hyperparameters.hidden_size in (8, 16)
    bench.crash_and_reopen()
    again = [bench.study.next() for _ in range(2)]
    assert [work.hyperparameters for work in again] == [old.hyperparameters, new.hyperparameters]
    assert bench.study.state.spec == spec


def test_another_metric_values_old_epochs_anew(bench, tables):
    good, bad = bench.study.next(), bench.study.next()
    bench.report(good, 1, 0.9, loss=0.7)
    bench.report(bad, 1, 0.8, loss=0.3)
    spec = resolve(tables | {"metric": "val/loss", "mode": "min"}, "x")
    bench.crash_and_reopen(change=changed(spec))
    state = bench.study.state
    assert state.best().number == bad.number
    assert state.asha.rungs[1] == {0: 0.7, 1: 0.3}
    assert [t.intermediate_values for t in told_trials(bench)] == [{1: 0.7}, {1: 0.3}]
    bench.report(bench.study.next(), 2, 0.1, loss=0.2)
    assert state.trials[0].epochs[-1].value == 0.2


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_epochs_that_lack_the_new_metric_are_no_obstacle(bench, tables, sampler):
    for _ in range(4):
        work = bench.study.next()
        for epoch in range(1, 5):
            bench.report(work, epoch, 0.9)
    spec = resolve(tables | {"search": {"trials": 30, "sampler": sampler}}, "x")
    spec = spec.model_copy(update={"metric": "val/new"})
    bench.crash_and_reopen(total=30, change=changed(spec))
    assert bench.study.state.best() is None
    work = bench.study.next()
    assert not bench.report(work, 1, 0.5)
    trial = bench.study.state.trials[work.number]
    assert trial.state == "failed" and "no val/new" in trial.reason


def test_a_trial_keeps_the_vectors_of_its_own_spec(tables):
    tables["fixed"] = {"embedding": "glove"}
    one = resolve(tables, "x")
    other = one.model_copy(update={"data": one.data.model_copy(update={"max_tokens": 8})})
    wide, narrow = ({"glove": Vectors("f", width, 1.0, 1.0)} for width in (7, 5))
    prepared = Prepared(PREPARED.corpus, {_choices(one): wide, _choices(other): narrow})
    assert prepared.vectors(one) == wide and prepared.vectors(other) == narrow
    assert prepared.files == ["f"]


def test_over_other_data_old_trials_are_kept_and_not_compared(bench, tables):
    ended, running = bench.study.next(), bench.study.next()
    for epoch in range(1, 5):
        bench.report(ended, epoch, 0.99)
    bench.report(running, 1, 0.995)
    bench.crash_and_reopen(change=changed(resolve(tables, "x"), corpus="other"))
    state = bench.study.state
    assert [trial.state for trial in state.trials] == ["completed", "pruned"]
    assert "other data" in state.trials[1].reason
    assert state.best() is None and not any(state.asha.rungs.values())
    assert [t.state.name for t in told_trials(bench)] == ["FAIL", "FAIL"]
    assert bench.study.hopeless() is None
    new = bench.study.next()
    assert new.number == 2
    bench.report(new, 1, 0.5)
    assert state.best().number == 2


def test_first_trials_that_all_fail_alike_are_hopeless(bench):
    bench.crash_and_reopen(total=9)
    for number in range(5):
        assert bench.study.hopeless() is None
        bench.study.next()
        bench.study.fail(number, 1, Failure("exception", f"IndexError: at {number}", "…"))
    assert "IndexError" in bench.study.hopeless()
    bench.crash_and_reopen(total=12)
    assert bench.study.hopeless() is None, "the cause may have been mended"


def test_another_cause_or_one_good_trial_is_hope(bench):
    bench.crash_and_reopen(total=9)
    for number in range(5):
        bench.study.next()
        cause = "OSError" if number == 2 else "IndexError"
        bench.study.fail(number, 1, Failure("exception", cause, "…"))
    assert bench.study.hopeless() is None


def test_trials_that_all_diverge_late_are_hopeless(bench):
    bench.crash_and_reopen(total=9)
    for _ in range(5):
        work = bench.study.next()
        bench.report(work, 1, 0.9)
        bench.report(work, 2, None)
    assert "not finite" in bench.study.hopeless()


def drive(bench: Bench, script: list[tuple[int, float | None]]) -> None:
    """Plays a random but possible history: start, report, lose an attempt, or be forced to search
    otherwise (by another metric, or over other data)."""
    running: dict[int, Assignment] = {}
    for action, value in script:
        if action == 0 and len(running) < 3:
            work = bench.study.next()
            if isinstance(work, Assignment):
                running[work.number] = work
        elif action == 6:
            spec = bench.study.state.spec
            metric, mode = ("val/loss", "min") if spec.mode == "max" else ("val/accuracy", "max")
            spec = spec.model_copy(update={"metric": metric, "mode": mode})
            corpus = "k" if value is None or value < 0.5 else f"k{len(bench.events())}"
            bench.study.begin(session(), ResourcesSpec(), changed(spec, corpus))
            running = {}
        elif running:
            number = sorted(running)[action % len(running)]
            work = running[number]
            if action == 5:
                bench.study.fail(number, work.attempt, LOST)
                del running[number]
            else:
                epoch = bench.study.state.trials[number].epoch + 1
                if not bench.report(work, epoch, value):
                    del running[number]


SCRIPT = st.lists(
    st.tuples(st.integers(0, 6), st.one_of(st.none(), st.floats(0, 1))), min_size=1, max_size=40
)


def picture(state) -> Any:
    return (
        state.trials,
        state.asha.rungs,
        state.total,
        state.session,
        state.finished,
    )


def told(sampler: Sampler) -> Any:
    return [
        (t.number, t.state, t.params, t.values, t.intermediate_values, t.system_attrs)
        for t in sampler.study.trials
    ]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(script=SCRIPT)
def test_replay_of_every_prefix_is_the_live_state(script, tmp_path_factory, tables):
    """Invariant 2, cut anywhere: state, rungs, what Optuna knows and what it says next."""
    bench = Bench(tmp_path_factory.mktemp("study"), tables)
    live: list[Any] = []
    sampler = bench.study._sampler
    bench.study.follow(
        lambda event, state: live.append((repr(picture(state)), repr(told(sampler))))
    )
    already = len(bench.events())
    drive(bench, script)
    events = bench.events()
    for index, seen in enumerate(live):
        prefix = events[: already + index + 1]
        state = replay(prefix)
        replayed = Sampler(state.spec)
        for event in prefix:
            replayed.apply(event)
        assert (repr(picture(state)), repr(told(replayed))) == seen
    number = len(bench.study.state.trials)
    assert replayed_suggestion(events, number) == bench.study._sampler.suggest(number)
    bench.journal.close()


def replayed_suggestion(events, number):
    sampler = Sampler(replay(events).spec)
    for event in events:
        sampler.apply(event)
    return sampler.suggest(number)


@pytest.mark.parametrize("kind", ["tpe", "random", "gp"])
def test_every_sampler_stays_in_the_space_and_repeats(tmp_path, tables, kind):
    tables["search"]["sampler"] = kind
    tables["first"] = [{"hidden_size": 8, "dropout": 0.25}]
    suggestions = []
    for run in ("a", "b"):
        (tmp_path / run).mkdir()
        bench = Bench(tmp_path / run, tables)
        bench.crash_and_reopen(total=14)
        for _ in range(14):
            work = bench.study.next()
            value = 1 - abs(work.hyperparameters.dropout - 0.3)
            for epoch in (1, 2, 3, 4):
                if not bench.report(work, epoch, value):
                    break
        trials = bench.study.state.trials
        suggestions.append([trial.params for trial in trials])
        assert trials[0].origin == "first" and trials[0].params["dropout"] == 0.25
        assert {trial.origin for trial in trials[1:]} == {kind}
        for trial in trials:
            assert trial.params["hidden_size"] in (4, 8)
            assert 1e-3 <= trial.params["learning_rate"] <= 1e-1
    assert suggestions[0] == suggestions[1]
