"""A study over a real journal, driven by hand: no Ray, no training."""

from pathlib import Path
from typing import Any

from search.driver.preparation import PreparedData
from search.driver.recorder import StudyRecorder
from search.journal.events import FORMAT, SessionStarted, SpecChanged, StudyCreated
from search.journal.folder import StudyDir
from search.journal.journal import Journal, read_events
from search.journal.state import replay
from search.policy.failures import Failure
from search.spec.study import ResourcesSpec, StudySpec, resolve
from trainables.attempts.messages import Assignment, Checkpoint, Report
from trainables.data.corpus import Corpus

PREPARED = PreparedData(Corpus(Path("/corpus"), ("a", "b"), 10, {}, ()))
CONFUSION = {f"val/confusion/{pair}": 7.0 for pair in ("a as a", "a as b", "b as a", "b as b")}
LOST = Failure("lost", "The actor died", "The actor died\nlong story")


def session(total: int = 6) -> SessionStarted:
    return SessionStarted(pid=1, host="h", total=total, resources={}, versions={}, code={})


class StudyHarness:
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
        self.study = StudyRecorder(self.folder, self.journal, replay(events), PREPARED)
        self.study.replay_into_sampler(events)
        self.study.begin(session(total), ResourcesSpec(max_failures=self.max_failures), change)

    def crash_and_reopen(self, total: int = 6, change: SpecChanged | None = None) -> None:
        self.journal.close()
        self.open(total, change)

    def events(self):
        if not self.folder.journal.exists():
            return []
        return read_events(self.folder.journal)

    def kinds(self) -> list[str]:
        return [event.event for event in self.events()]

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
        path = f"{work.checkpoint_prefix}epoch-{epoch:03d}.safetensors"
        (self.folder.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder.root / path).write_bytes(b"x")
        return Report(
            number=work.number,
            attempt=work.attempt,
            epoch=epoch,
            metrics={"val/accuracy": value, "val/loss": loss, "train/loss": 0.5} | CONFUSION,
            seconds=1.0,
            checkpoint=Checkpoint(epoch=epoch, path=path, digest="d"),
            host="h",
            device="cpu",
            threads=1,
            precision=more.pop("precision", "float32"),
            processor="p",
            recurrence=more.pop("recurrence", "native"),
            **more,
        )


def changed(spec: StudySpec, corpus: str = "k") -> SpecChanged:
    return SpecChanged(spec=spec.model_dump(mode="json"), corpus=corpus, changes=["something"])


def told_trials(harness: StudyHarness) -> list[Any]:
    return harness.study._sampler.study.trials
