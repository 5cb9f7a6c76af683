"""Starting, resuming and extending a study: one act over one journal."""

import os
import platform
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from cluster.config import ClusterConfig
from cluster.connect import connect
from cluster.local import check_cores
from cluster.watchdog import Watchdog
from search.capacity import Allotment, concurrent_trials, memory_needed
from search.errors import NoFiniteResult, SpecError, StudyExists, StudyFailed
from search.events import FORMAT, Event, SessionStarted, StudyCreated
from search.hangs import HangWatch
from search.interrupt import Halt, Interrupter
from search.journal import Journal, read_journal
from search.monitor.checkpoints import CheckpointKeeper
from search.monitor.progress import Progress
from search.monitor.tensorboard import TensorBoardWriter
from search.preparation import Prepared, prepare_study
from search.report.markdown import markdown_report
from search.spec import ResourcesSpec, StudySpec, to_toml
from search.state import StudyState, replay
from search.store import StudyDir, create_study_dir
from search.study import Study
from trainables.data.shipping import Parcel, pack
from trainables.data.spec import DataSpec
from trainables.durable import replace_file

PACKAGES = [Path(__file__).parent.parent / name for name in ("trainables",)]


@dataclass(frozen=True)
class Launch:
    """What belongs to this invocation and not to the study."""

    total: int
    data: DataSpec
    resources: ResourcesSpec
    cluster: ClusterConfig
    cache_dir: Path
    time_budget: float | None = None
    change: tuple[StudySpec, list[str]] | None = None
    take_over: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a session ended: ``finished``, or why it left early, and the exit code of that."""

    state: StudyState
    reason: str
    exit_code: int


def start(spec: StudySpec, results: Path, launch: Launch, interrupter: Interrupter) -> Outcome:
    """Begins a new study and runs it.

    Raises:
        SeqtuneError: something is wrong and nothing was started.
    """
    return _session(create_study_dir(results, spec.name), spec, launch, interrupter)


def resume(folder: StudyDir, launch: Launch, interrupter: Interrupter) -> Outcome:
    """Goes on with a study until ``launch.total`` trials have ended.

    Raises:
        SeqtuneError: something is wrong and nothing was started.
    """
    return _session(folder, None, launch, interrupter)


def _session(
    folder: StudyDir, new: StudySpec | None, launch: Launch, interrupter: Interrupter
) -> Outcome:
    with folder.owned(launch.take_over):
        if new is not None and folder.exists():  # begun by another driver a moment ago
            raise StudyExists(f"study {new.name!r} exists: choose another --name")
        state = None if new else replay(_events(folder))
        if state is not None and state.ended >= launch.total == state.total:
            _write_report(folder, state)
            return Outcome(state, "finished", 0)
        spec = launch.change[0] if launch.change else (state.spec if state else new)
        assert spec is not None
        under_way = [t.spec for t in state.trials if not t.ended] if state else []
        prepared = prepare_study(launch.data, [spec, *under_way], launch.cache_dir)
        if state is not None and state.created.corpus != prepared.corpus.key:
            raise SpecError(
                f"the data of study {folder.name!r} has changed since it began (data.source = "
                f"{spec.data.source!r}): put the old data back, or run a new study"
            )
        _introduce(folder, prepared, launch)
        wanted = launch.resources
        cpus = wanted.cpus_per_trial * (wanted.max_concurrent or 0)  # asked for by name: may crowd
        if launch.cluster.kind == "local":
            check_cores(wanted.cpus_per_trial)
        with connect(launch.cluster, PACKAGES, cpus) as capacity:
            interrupter.listen()
            allotment = Allotment(
                cpus=wanted.cpus_per_trial,
                gpus=wanted.gpus_per_trial,
                concurrent=concurrent_trials(wanted, capacity, memory_needed(spec, prepared)),
                parcel=_parcel(prepared) if launch.cluster.kind == "address" else None,
            )
            with _opened(folder, new, prepared, launch) as study:
                return _run(folder, study, launch, allotment, interrupter)


def _introduce(folder: StudyDir, prepared: Prepared, launch: Launch) -> None:
    """Says on stderr what is about to be searched, while Ray starts."""
    corpus = prepared.corpus
    sizes = ", ".join(f"{count:,} {part}" for part, count in corpus.sizes.items())
    print(
        f"study {folder.name}: {launch.total} trials over {sizes} texts of {len(corpus.classes)} "
        f"classes; starting Ray ({launch.cluster.address or 'this machine'}) …",
        file=sys.stderr,
    )
    for note in prepared.notes:
        print(f"note: {note}", file=sys.stderr)


def _parcel(prepared: Prepared) -> Parcel:
    return pack(prepared.corpus, [vectors.name for vectors in prepared.vectors.values()])


def _events(folder: StudyDir) -> list[Event]:
    return [line.event for line in read_journal(folder.journal)]


@contextmanager
def _opened(
    folder: StudyDir, new: StudySpec | None, prepared: Prepared, launch: Launch
) -> Iterator[Study]:
    """The study's one writer, brought to where its journal is."""
    journal = Journal(folder.journal)
    try:
        if new is not None:
            replace_file(folder.spec, to_toml(new).encode(), mode=0o600)  # a source may be a secret
            journal.append(
                StudyCreated(
                    format=FORMAT,
                    name=new.name,
                    spec=new.model_dump(mode="json"),
                    corpus=prepared.corpus.key,
                    seqtune=version("seqtune"),
                )
            )
        events = _events(folder)
        state = replay(events)
        study = Study(folder, journal, state, prepared)
        study.replay_into_sampler(events)
        board = TensorBoardWriter(folder, state)
        keeper = CheckpointKeeper(folder, state, launch.resources.keep_best)
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
    folder: StudyDir, study: Study, launch: Launch, allotment: Allotment, interrupter: Interrupter
) -> Outcome:
    from search.tuner import run  # imports ray, whose environment connect() has set

    watch = HangWatch(launch.resources)
    reason, code = "finished", 0
    with Progress(study.state) as progress:
        study.follow(progress)
        study.follow(watch)

        def look_up() -> None:
            interrupter.check()
            cause = study.hopeless()
            if cause is not None:
                raise Halt(f"the first trials have all failed: {cause}", NoFiniteResult.exit_code)
            progress.redraw()

        try:
            started = _session_started(launch)
            _tell_differences(study.state.session, started, launch)
            study.begin(started, launch.resources)
            if launch.change is not None:
                study.change(*launch.change)
            with Watchdog(interrupter.ray_died):
                run(study, allotment, watch, look_up)
            study.end(reason)
        except Halt as halt:
            reason, code = halt.reason, halt.exit_code
            if code == StudyFailed.exit_code:
                raise StudyFailed(reason) from halt
            study.end(reason)
    _write_report(folder, study.state)
    return Outcome(study.state, reason, code)


def _write_report(folder: StudyDir, state: StudyState) -> None:
    replace_file(folder.report, markdown_report(folder, state, running=False).encode())


def _tell_differences(before: SessionStarted | None, now: SessionStarted, launch: Launch) -> None:
    """Says on stderr what is not as in the last session."""
    notes = list(launch.change[1]) if launch.change else []
    if before is not None:
        old = before.versions
        notes += [f"{k}: {old.get(k)} → {v}" for k, v in now.versions.items() if old.get(k) != v]
    for note in notes:
        print(f"changed since the last session: {note}", file=sys.stderr)


def _session_started(launch: Launch) -> SessionStarted:
    packages = ("seqtune", "ray", "optuna", "torch")
    return SessionStarted(
        pid=os.getpid(),
        host=socket.gethostname(),
        total=launch.total,
        resources=launch.resources.model_dump(mode="json"),
        versions={"python": platform.python_version()} | {name: version(name) for name in packages},
    )
