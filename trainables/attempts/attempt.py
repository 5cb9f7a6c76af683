"""One attempt at a trial: from an assignment to reports of its epochs. Knows nothing of Ray."""

import math
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from trainables.attempts.messages import Assignment, Checkpoint, Report, Restored
from trainables.attempts.probe import choose_precision
from trainables.core.batching import TextReader
from trainables.core.device import Numerics, describe_numerics, limit_gpu_memory, prepare_device
from trainables.core.precision import precisions
from trainables.core.task import TaskContext
from trainables.core.trainer import Trainer, TrainerSettings
from trainables.data.corpus import Corpus, open_corpus
from trainables.embeddings.bert import FEATURES, positions
from trainables.embeddings.vectors import load_vectors
from trainables.errors import CheckpointError
from trainables.tasks import find_task

#: So many epochs are reported together at most: each has its checkpoint on the disk until then.
MAX_EPOCHS_PER_REPORT = 10


@dataclass
class Attempt:
    """An attempt under way."""

    assignment: Assignment
    trainer: Trainer
    validation: TextReader
    numerics: Numerics
    restored: Restored | None


def begin(assignment: Assignment, corpus_path: Path) -> Attempt:
    """Builds the trainer and restores the newest checkpoint that is whole."""
    device = prepare_device(assignment.device, assignment.threads, assignment.keep_freed_memory)
    if assignment.gpus > 0:
        limit_gpu_memory(assignment.gpus)
    # What the trial or the study began with, unless this machine lacks it.
    kept = assignment.precision_required or assignment.precision in precisions(device)
    precision = choose_precision(assignment.precision if kept else "auto", assignment.device)
    corpus = open_corpus(corpus_path)
    train, validation = (
        _reader(assignment, corpus, name, device) for name in ("train", "validation")
    )
    vectors_VE = load_vectors(corpus, assignment.vectors) if assignment.vectors else None
    ends = TaskContext(corpus.vocabulary, corpus.classes, train.part.labels, vectors_VE)
    make_task = find_task(assignment.task).load()

    def new_trainer() -> Trainer:
        return Trainer(
            make_task(assignment.hyperparameters, ends),
            assignment.hyperparameters,
            train,
            TrainerSettings(assignment.seed, assignment.max_epochs, device, precision),
        )

    trainer = new_trainer()
    damage: list[str] = []
    for checkpoint in assignment.restore:
        try:
            trainer.load(Path(assignment.folder) / checkpoint.path, checkpoint.digest)
            break
        except CheckpointError as error:
            damage.append(str(error))
            trainer = new_trainer()
    if trainer.epoch < assignment.last_journaled_epoch and not damage:
        damage.append("its newest checkpoint is gone")
    restored = Restored(epoch=trainer.epoch, reason="; ".join(damage)) if damage else None
    numerics = describe_numerics(device, precision)
    return Attempt(assignment, trainer, validation, numerics, restored)


def _reader(assignment: Assignment, corpus: Corpus, name: str, device: torch.device) -> TextReader:
    """What is read of the corpus: tokens, or the places of their features in a file."""
    features = assignment.hyperparameters.embedding == FEATURES
    part = positions(corpus, name, assignment.max_tokens) if features else corpus.part(name)
    return TextReader(part, assignment.max_tokens, assignment.keep).placed(device)


def next_epochs(attempt: Attempt, seconds: float) -> tuple[Report, ...]:
    """Trains one reported epoch, and more while the study has nothing to decide between them and
    the first would not wait for the last longer than ``seconds``; ``MAX_EPOCHS_PER_REPORT`` at most."""
    reports = [next_epoch(attempt)]
    waits_until = time.monotonic() + seconds
    while len(reports) < MAX_EPOCHS_PER_REPORT and not _needs_decision(
        attempt.assignment, reports[-1]
    ):
        if time.monotonic() + reports[-1].seconds > waits_until:
            break
        _keep_unreported(attempt.assignment, reports)
        reports.append(next_epoch(attempt))
    return tuple(reports)


def _keep_unreported(assignment: Assignment, reports: list[Report]) -> None:
    """Puts the last of these where the driver finds it if this process is killed, or itself; the
    first takes the place of those of the message before, which has been answered."""
    path = Path(assignment.folder) / assignment.unreported
    with path.open("w" if len(reports) == 1 else "a") as file:
        file.write(reports[-1].model_dump_json() + "\n")


def _needs_decision(assignment: Assignment, report: Report) -> bool:
    """Whether the study may end the trial at this epoch."""
    compared = report.epoch in (*assignment.rungs, assignment.max_epochs)
    finite = None not in report.metrics.values()
    return compared or not finite or assignment.hyperparameters.patience > 0


def next_epoch(attempt: Attempt) -> Report:
    """Trains one reported epoch, after any unreported ones, and stores it."""
    assignment, trainer = attempt.assignment, attempt.trainer
    while trainer.epoch < assignment.last_journaled_epoch:
        trainer.train_epoch()
    started = time.monotonic()
    metrics = {"train/loss": trainer.train_epoch()}
    metrics |= {f"val/{k}": v for k, v in trainer.evaluate(attempt.validation).items()}
    path = f"{assignment.checkpoint_prefix}epoch-{trainer.epoch:03d}.safetensors"
    digest = trainer.save(Path(assignment.folder) / path)
    restored, attempt.restored = attempt.restored, None
    return Report(
        number=assignment.number,
        attempt=assignment.attempt,
        epoch=trainer.epoch,
        metrics={k: v if math.isfinite(v) else None for k, v in metrics.items()},
        seconds=time.monotonic() - started,
        checkpoint=Checkpoint(epoch=trainer.epoch, path=path, digest=digest),
        host=socket.gethostname(),
        device=attempt.numerics.device,
        threads=attempt.numerics.threads,
        precision=attempt.numerics.precision,
        processor=attempt.numerics.processor,
        recurrence=attempt.numerics.recurrence,
        restored=restored,
    )
