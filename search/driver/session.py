"""Starting, resuming and extending a study: one act over one journal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from cluster.connect import connect
from cluster.local import check_cores
from cluster.watchdog import Watchdog
from search.driver.capacity import TrialResources, check_device, concurrent_trials, memory_needed
from search.driver.changes import describe_session, find_change, packages, tell_differences
from search.driver.hangs import HangWatch
from search.driver.plan import SessionPlan
from search.driver.preparation import PreparedData, prepare_study
from search.driver.recorder import StudyRecorder
from search.driver.retention import CheckpointKeeper
from search.driver.signals import Halt, Interrupter
from search.errors import NoFiniteResult, StudyExists, StudyFailed
from search.journal.events import FORMAT, Event, SpecChanged, StudyCreated
from search.journal.folder import StudyDir, create_study_dir
from search.journal.journal import Journal, read_events
from search.journal.state import StudyState, replay
from search.monitor.progress import Progress
from search.monitor.tensorboard import TensorBoardWriter
from search.report.markdown import markdown_report
from search.spec.study import StudySpec, to_toml
from trainables.data.shipping import Parcel, pack
from trainables.storage import replace_file


@dataclass(frozen=True)
class Outcome:
    """How a session ended: ``finished``, or why it left early, and the exit code of that."""

    state: StudyState
    reason: str
    exit_code: int


def start(spec: StudySpec, results: Path, plan: SessionPlan, interrupter: Interrupter) -> Outcome:
    """Begins a new study and runs it.

    Raises:
        SeqtuneError: something is wrong and nothing was started.
    """
    return _session(create_study_dir(results, spec.name), spec, plan, interrupter)


def resume(folder: StudyDir, plan: SessionPlan, interrupter: Interrupter) -> Outcome:
    """Goes on with a study until ``plan.total`` trials have ended.

    Raises:
        SeqtuneError: something is wrong and nothing was started.
    """
    return _session(folder, None, plan, interrupter)


def _session(
    folder: StudyDir, new: StudySpec | None, plan: SessionPlan, interrupter: Interrupter
) -> Outcome:
    with folder.locked(plan.take_over):
        if new is not None and folder.exists():  # begun by another driver a moment ago
            raise StudyExists(f"study {new.name!r} exists: choose another --name")
        past = [] if new else read_events(folder.journal)
        state = None if new else replay(past)
        changing = plan.change is not None or plan.force
        if state is not None and not changing and state.ended >= plan.total == state.total:
            _write_report(folder, state)
            return Outcome(state, "finished", 0)
        spec = plan.change[0] if plan.change else (state.spec if state else new)
        assert spec is not None
        prepared = prepare_study(spec, plan.cache_dir, state.trials if state else ())
        change = find_change(state, spec, prepared, plan) if state else None
        _introduce(folder, spec, prepared, plan)
        wanted = plan.resources
        cpus = wanted.cpus_per_trial * (wanted.max_concurrent or 0)  # asked for by name: may crowd
        if plan.cluster.kind == "local":
            check_cores(wanted.cpus_per_trial)
            check_device(wanted)
        with connect(plan.cluster, packages(spec), cpus) as nodes:
            interrupter.listen()
            allotment = TrialResources(
                cpus=wanted.cpus_per_trial,
                gpus=wanted.gpus_per_trial,
                concurrent=concurrent_trials(wanted, nodes, memory_needed(spec, prepared)),
                parcel=_parcel(prepared) if plan.cluster.kind == "address" else None,
            )
            with _opened(folder, past, spec, prepared, plan, change) as study:
                return _run(folder, study, plan, allotment, interrupter)


def _introduce(
    folder: StudyDir, spec: StudySpec, prepared: PreparedData, plan: SessionPlan
) -> None:
    """Says on stderr what is about to be searched, while Ray starts."""
    corpus = prepared.corpus
    sizes = ", ".join(f"{count:,} {part}" for part, count in corpus.sizes.items())
    kinds = f" of {len(corpus.classes)} classes" if corpus.classes else ""
    where = plan.cluster.address or "this machine"
    print(
        f"study {folder.name}: {plan.total} trials over {sizes} texts{kinds}; "
        f"starting Ray ({where}) …",
        file=sys.stderr,
    )
    for note in prepared.notes(spec):
        print(f"note: {note}", file=sys.stderr)


def _parcel(prepared: PreparedData) -> Parcel:
    return pack(prepared.corpus, prepared.files)


def _creation(spec: StudySpec, prepared: PreparedData) -> StudyCreated:
    return StudyCreated(
        format=FORMAT,
        name=spec.name,
        spec=spec.model_dump(mode="json"),
        corpus=prepared.corpus.key,
        seqtune=version("seqtune"),
    )


@contextmanager
def _opened(
    folder: StudyDir,
    past: list[Event],
    spec: StudySpec,
    prepared: PreparedData,
    plan: SessionPlan,
    change: SpecChanged | None,
) -> Iterator[StudyRecorder]:
    """The study's one writer, brought to where its journal is, with a session begun; a study
    without a past is created."""
    journal = Journal(folder.journal)
    try:
        events = past or [_creation(spec, prepared)]
        if not past:
            journal.append(*events)
        state = replay(events)
        study = StudyRecorder(folder, journal, state, prepared)
        study.replay_into_sampler(events)
        session = describe_session(spec, prepared, plan)
        tell_differences(state.session, session, change)
        events = events + study.begin(session, plan.resources, change)
        replace_file(folder.spec, to_toml(state.present_spec()).encode(), mode=0o600)
        board = TensorBoardWriter(folder, state)
        keeper = CheckpointKeeper(folder, state, plan.resources.keep_best)
        for event in events:
            board(event, state)
        study.follow(board)
        study.follow(keeper)
        try:
            yield study
        finally:
            board.close()
    finally:
        journal.close()


def _run(
    folder: StudyDir,
    study: StudyRecorder,
    plan: SessionPlan,
    allotment: TrialResources,
    interrupter: Interrupter,
) -> Outcome:
    from search.driver.ray_tune import run  # imports ray, whose environment connect() has set

    watch = HangWatch(plan.resources, allotment.report_seconds)
    reason, code = "finished", 0
    with Progress(study.state) as progress:
        study.follow(progress)
        study.follow(watch)

        def on_step() -> None:
            interrupter.check()
            cause = study.common_failure()
            if cause is not None:
                raise Halt(f"the first trials have all failed: {cause}", NoFiniteResult.exit_code)
            progress.redraw()

        try:
            with Watchdog(interrupter.ray_died):
                run(study, allotment, watch, on_step)
            study.end(reason)
        except Halt as halt:
            reason, code = halt.reason, halt.exit_code
            if code == StudyFailed.exit_code:
                raise StudyFailed(reason) from halt
            study.end(reason)
    _write_report(folder, study.state)
    return Outcome(study.state, reason, code)


def _write_report(folder: StudyDir, state: StudyState) -> None:
    replace_file(folder.report, markdown_report(folder, state, running=False).encode(), mode=0o600)
