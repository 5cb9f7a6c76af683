"""Starting, resuming and extending a study: one act over one journal."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from cluster.connect import connect, is_connected
from cluster.kinds.base import Node
from cluster.membership import Membership
from cluster.watchdog import Watchdog
from search.driver.capacity import TrialResources, concurrent_trials, memory_needed
from search.driver.changes import (
    declared,
    describe_session,
    own_version,
    record_change,
    tell_differences,
)
from search.driver.checks import (
    check_cluster,
    check_session,
    first_notes,
    kernel_notes,
    start_request,
)
from search.driver.former import recall_former, still_to_recall
from search.driver.hangs import HangWatch
from search.driver.plan import SessionPlan
from search.driver.preparation import PreparedData, prepare_study
from search.driver.recorder import StudyRecorder
from search.driver.retention import CheckpointKeeper
from search.driver.signals import Halt, Hopeless, Interrupter, check_hope
from search.errors import StudyExists, StudyFailed
from search.journal.events import FORMAT, SpecChanged, StudyCreated, WarmStarted
from search.journal.folder import StudyDir, create_study_dir
from search.journal.journal import Journal
from search.journal.load import Loaded, load
from search.journal.lock import Lock
from search.journal.snapshot import SnapshotWriter
from search.journal.state import StudyState, replay
from search.journal.trial import Trial
from search.monitor.logs import TrialLogs, logging_to
from search.monitor.progress import Progress
from search.monitor.say import say
from search.monitor.streams import others_to
from search.monitor.tensorboard import TensorBoardWriter
from search.report.markdown import write_report
from search.spec.study import StudySpec, to_toml
from trainables.data.shipping import pack
from trainables.storage import Cache, replace_file

#: What happens is shown, and superfluous checkpoints removed, so much later at most.
TELL_SECONDS = 0.1

#: Makes the data of a study ready, for its trials too.
Prepare = Callable[[StudySpec, Cache, Sequence[Trial]], PreparedData]


@dataclass(frozen=True)
class Outcome:
    """How a session ended.

    Attributes:
        reason: ``finished``, or why it left early.
        exit_code: what a command ends with for that.
    """

    folder: StudyDir
    state: StudyState
    reason: str
    exit_code: int


@dataclass(frozen=True)
class _Work:
    """What one session works on: the study, where it is, and what was asked for."""

    folder: StudyDir
    spec: StudySpec
    past: Loaded | None
    prepared: PreparedData
    plan: SessionPlan
    change: SpecChanged | None
    lock: Lock
    former: tuple[WarmStarted, ...] = ()

    def first_events(self) -> list[StudyCreated | WarmStarted]:
        """Return what a new study's journal begins with."""
        return [creation(self.spec, self.prepared), *self.former]


def start(
    spec: StudySpec,
    results: Path,
    plan: SessionPlan,
    interrupter: Interrupter,
    prepare: Prepare = prepare_study,
) -> Outcome:
    """Begin a new study and run it.

    Raises:
        SeqtuneError: something is wrong and nothing was started.
    """
    former = recall_former(spec, results)
    folder = create_study_dir(results, spec.name)
    with folder.locked(plan.take_over, interrupter) as lock, logging_to(folder):
        _tell_of_locks(lock)
        if folder.exists():  # begun by another driver a moment ago
            raise StudyExists(f"study {spec.name!r} exists: choose another --name")
        prepared = prepare(spec, plan.cache, ())
        work = _Work(folder, spec, None, prepared, plan, None, lock, former)
        return _session(work, interrupter)


def resume(
    folder: StudyDir,
    plan: SessionPlan,
    interrupter: Interrupter,
    past: Loaded,
    prepare: Prepare = prepare_study,
) -> Outcome:
    """Go on with a study until ``plan.total`` trials have ended.

    ``past`` is the study as it was read to make the plan.

    Raises:
        SeqtuneError: something is wrong and nothing was started.
    """
    with folder.locked(plan.take_over, interrupter) as lock, logging_to(folder):
        _tell_of_locks(lock)
        past = load(folder, past)
        state = past.state
        changing = plan.change is not None or plan.force
        if not changing and state.trials.ended >= plan.total == state.total:
            write_report(folder, state, running=False)
            return Outcome(folder, state, "finished", 0)
        spec = plan.change.spec if plan.change else state.spec
        prepared = prepare(spec, plan.cache, state.trials)
        change = record_change(state, plan.change, prepared, plan.total, plan.force)
        missing = still_to_recall(state, folder.root.parent)
        work = _Work(folder, spec, past, prepared, plan, change, lock, missing)
        return _session(work, interrupter)


def _tell_of_locks(lock: Lock) -> None:
    if not lock.in_kernel:
        say("note: this file system has no locks: the study is guarded by its driver's heartbeat")


def _session(work: _Work, interrupter: Interrupter) -> Outcome:
    plan = work.plan
    try:
        _introduce(work)
        check_session(work.spec, plan, work.prepared)
        if not is_connected():
            say(f"starting Ray ({plan.cluster}) …")
        request = start_request(work.spec, plan, work.folder.logs)
        # What belongs to a program around the search is left as it is.
        quiet = others_to(work.folder.ray_log) if interrupter.owns_process else nullcontext()
        with quiet, connect(plan.cluster, request) as nodes:
            interrupter.listen_again()
            if not plan.cluster.is_this_machine:
                check_cluster(work.spec, work.folder.root)
            resources = _resources(work, nodes)
            with _opened(work) as recorder:
                return _run(work, recorder, resources, interrupter)
    except Halt:
        _leave_resumable(work)
        raise
    except KeyboardInterrupt as error:
        if interrupter.failure is None:
            raise
        raise StudyFailed(interrupter.failure) from error


def _introduce(work: _Work) -> None:
    """Say what is about to be searched."""
    inputs = work.prepared.of(work.spec)
    say(f"study {work.folder.name}: {work.plan.total} trials over {inputs.summary}")
    notes = [*inputs.notes, *first_notes(work.spec, work.plan.total)]
    if work.plan.cluster.is_this_machine:
        notes += kernel_notes(work.spec)
    for note in notes:
        say(f"note: {note}")
    for former in work.former:
        say(f"beginning with {len(former.trials)} trials of study {former.study}")


def _resources(work: _Work, nodes: list[Node]) -> TrialResources:
    wanted, prepared = work.plan.resources, work.prepared
    ships = not work.plan.cluster.shares_files
    return TrialResources(
        cpus=wanted.cpus_per_trial,
        gpus=wanted.gpus_per_trial,
        concurrent=concurrent_trials(wanted, nodes, memory_needed(work.spec, prepared)),
        parcel=pack(prepared.current.folder, prepared.shipped_files()) if ships else None,
    )


def creation(spec: StudySpec, prepared: PreparedData) -> StudyCreated:
    """Return the first event of a new study."""
    return StudyCreated(
        format=FORMAT,
        name=spec.name,
        spec=spec.tables(),
        hyperparameters=declared(spec),
        data=prepared.current.key,
        seqtune=own_version(),
    )


def _leave_resumable(work: _Work) -> None:
    """Create the study of a session that was ended while Ray started."""
    if work.lock.is_held() and not work.folder.exists():
        journal = Journal(work.folder.journal, work.lock)
        try:
            journal.append(*work.first_events())
        finally:
            journal.close()


@contextmanager
def _opened(work: _Work) -> Iterator[StudyRecorder]:
    """Open the study's recorder where its journal is, and begin a session; create a study that has
    no past."""
    folder, plan, prepared = work.folder, work.plan, work.prepared
    if not work.lock.is_held():
        raise StudyFailed("another driver has taken the study over")
    past = load(folder, work.past) if work.past else None
    journal = Journal(folder.journal, work.lock, past.prefix if past else None)
    try:
        if past is None:
            first = work.first_events()
            journal.append(*first)
        state = past.state if past else replay(first)
        if past is not None:
            journal.append(*work.former)
            for event in work.former:
                state.apply(event)
        recorder = StudyRecorder(folder, journal, state, prepared, tell_seconds=TELL_SECONDS)
        session = describe_session(work.spec, prepared, plan.total, plan.resources)
        tell_differences(state.session, session, work.change)
        recorder.begin(session, plan.resources, work.change)
        folder.checkpoints.mkdir(mode=0o700, exist_ok=True)  # as private as the journal
        replace_file(folder.spec, to_toml(state.present_spec()).encode(), mode=0o600)
        examples = prepared.current.examples
        board = TensorBoardWriter(folder, state, journal.prefix, examples)
        snapshot = SnapshotWriter(folder, state, journal.prefix, past.kept if past else None)
        keeper = CheckpointKeeper(folder, state, plan.resources.keep_best, plan.resources.keep)
        for observer in (board, keeper, TrialLogs(folder), snapshot):
            recorder.follow(observer)
        try:
            yield recorder
        finally:
            board.close()
            snapshot.close(state)
    finally:
        journal.close()


def _run(
    work: _Work, recorder: StudyRecorder, resources: TrialResources, interrupter: Interrupter
) -> Outcome:
    from search.driver.ray_tune import run  # imports ray, whose environment connect() has set

    watch = HangWatch(work.plan.resources, resources.report_seconds)
    members = None if work.plan.cluster.is_this_machine else Membership()
    reason, code = "finished", 0
    with Progress(recorder.state, interrupter.seconds_left) as progress:
        recorder.follow(progress)
        recorder.follow(watch)

        def on_step() -> None:
            interrupter.check()
            check_hope(recorder)
            for line in members.changes() if members else ():
                say(line)
            recorder.tell_when_due()
            progress.redraw()

        try:
            with Watchdog(interrupter.ray_died):
                run(recorder, resources, watch, on_step)
            recorder.end(reason)
        except Halt as halt:
            reason, code = halt.reason, halt.exit_code
            if code == StudyFailed.exit_code and not isinstance(halt, Hopeless):
                raise StudyFailed(reason) from halt  # its journal may take nothing more
            recorder.end(reason)
    write_report(work.folder, recorder.state, running=False)
    if code == StudyFailed.exit_code:
        raise StudyFailed(reason)
    return Outcome(work.folder, recorder.state, reason, code)
