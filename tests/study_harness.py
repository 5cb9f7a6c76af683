"""A study over a real journal, driven by hand: no Ray, no training."""

from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from search.driver.changes import declared
from search.driver.preparation import PreparedData
from search.driver.recorder import StudyRecorder
from search.journal.events import FORMAT, SessionStarted, SpecChanged, StudyCreated
from search.journal.folder import StudyDir
from search.journal.journal import Journal, read_events
from search.journal.load import load
from search.journal.snapshot import SnapshotWriter
from search.policy.failures import Failure
from search.policy.samplers.optuna_adapter import OptunaSampler
from search.policy.samplers.registry import SAMPLERS
from search.spec.resolve import resolve
from search.spec.study import ResourcesSpec, StudySpec
from trainables.attempts.messages import (
    Assignment,
    Checkpoint,
    Numerics,
    Report,
    checkpoint_name,
)
from trainables.core.memory import DataShape
from trainables.data.spec import DataSpec
from trainables.tasks.text_inputs import PreparedTexts

TEXTS = PreparedTexts(
    folder=Path("/corpus"),
    shape=DataShape(10, 2, 16),
    summary="texts",
    data=DataSpec(source="x", max_tokens=16),
    vectors={},
)
PREPARED = PreparedData(TEXTS)
CONFUSION = {f"val/confusion/{pair}": 7.0 for pair in ("a as a", "a as b", "b as a", "b as b")}
LOST = Failure("lost", "The actor died", "The actor died\nlong story")


def created(spec: StudySpec) -> StudyCreated:
    return StudyCreated(
        format=FORMAT,
        name="small",
        spec=spec.tables(),
        hyperparameters=declared(spec),
        data="k",
        seqtune="0",
    )


def session(total: int = 6, resources: dict[str, Any] | None = None) -> SessionStarted:
    return SessionStarted(
        pid=1, host="h", total=total, resources=resources or {}, versions={}, code={}
    )


class StudyHarness:
    """A study over a real journal, driven by hand."""

    def __init__(self, folder, tables: dict[str, Any], max_failures: int = 2) -> None:
        self.folder = StudyDir(folder if folder.name == "small" else folder / "small")
        self.folder.root.mkdir(parents=True, exist_ok=True)
        self.max_failures = max_failures
        self.resources: dict[str, Any] = {}
        if not self.folder.journal.exists():
            journal = Journal(self.folder.journal)
            journal.append(created(resolve(tables, "x")))
            journal.close()
        self.open()

    def open(self, total: int = 6, change: SpecChanged | None = None) -> None:
        past = load(self.folder)
        self.journal = Journal(self.folder.journal, prefix=past.prefix)
        self.study = StudyRecorder(self.folder, self.journal, past.state, PREPARED)
        begun = session(total, self.resources)
        self.study.begin(begun, ResourcesSpec(max_failures=self.max_failures), change)
        self.snapshot = SnapshotWriter(self.folder, past.state, self.journal.prefix, past.kept)
        self.study.follow(self.snapshot)

    def crash_and_reopen(self, total: int = 6, change: SpecChanged | None = None) -> None:
        self.journal.close()
        self.open(total, change)

    def events(self):
        if not self.folder.journal.exists():
            return []
        return read_events(self.folder.journal)

    def kinds(self) -> list[str]:
        return [event.event for event in self.events()]

    def begin(self) -> Assignment:
        """Hand out the next attempt, of which there must be one."""
        work = self.study.next()
        assert isinstance(work, Assignment)
        return work

    def report(self, work: Assignment, epoch: int, value: float | None, **more: Any) -> bool:
        return self.study.report([self.epoch(work, epoch, value, **more)])

    def epoch(
        self,
        work: Assignment,
        epoch: int,
        value: float | None,
        loss: float | None = 0.5,
        **more: Any,
    ) -> Report:
        """A report whose checkpoint is there."""
        path = checkpoint_name(work.checkpoint_prefix, epoch)
        (self.folder.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder.root / path).write_bytes(b"x")
        return Report(
            number=work.number,
            attempt=work.attempt,
            epoch=epoch,
            metrics={"val/accuracy": value, "val/loss": loss, "train/loss": 0.5} | CONFUSION,
            seconds=more.pop("seconds", 1.0),
            checkpoint=Checkpoint(epoch=epoch, path=path, digest="d" * 64),
            host="h",
            numerics=Numerics(
                device="cpu",
                threads=1,
                precision=more.pop("precision", "float32"),
                processor="p",
                recurrence=more.pop("recurrence", "native"),
            ),
            **more,
        )


def changed(spec: StudySpec, data: str = "k") -> SpecChanged:
    return SpecChanged(
        spec=spec.tables(), hyperparameters=declared(spec), data=data, changes=["something"]
    )


def told_trials(harness: StudyHarness) -> list[FrozenTrial]:
    """What Optuna is told of the study's state: costs, of which less is better."""
    sampler = SAMPLERS["tpe"]()
    assert isinstance(sampler, OptunaSampler)
    return sampler.history(harness.study.state).trials()
