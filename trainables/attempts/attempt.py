"""One attempt at a trial: from an assignment to reports of its epochs. Knows nothing of Ray."""

import math
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from trainables.attempts.messages import Assignment, Checkpoint, Numerics, Report, Restored
from trainables.attempts.numerics import describe_numerics
from trainables.attempts.probe import choose_precision
from trainables.core.batching import Reader
from trainables.core.device import limit_gpu_memory, prepare_device
from trainables.core.precision import precisions
from trainables.core.trainer import Trainer, TrainerSettings
from trainables.errors import CheckpointError
from trainables.tasks.registry import find_task

#: Each waiting epoch has its checkpoint on the disk until it is reported.
MAX_EPOCHS_PER_REPORT = 10


@dataclass
class Attempt:
    """An attempt under way."""

    assignment: Assignment
    trainer: Trainer
    validation: Reader
    numerics: Numerics
    restored: Restored | None


def begin(assignment: Assignment, folder: Path) -> Attempt:
    """Build the trainer over the prepared data in ``folder``, and restore the newest checkpoint
    that is whole."""
    entry = find_task(assignment.task)
    hyperparameters = entry.declaration.hyperparameters.model_validate(assignment.hyperparameters)
    native = hyperparameters.has_native_recurrence
    device = prepare_device(assignment.device, assignment.threads, assignment.keep_freed_memory)
    if assignment.gpus > 0:
        limit_gpu_memory(assignment.gpus)
    precision = _precision(assignment, device, native)
    opened = entry.declaration.inputs.open(folder, assignment.inputs, hyperparameters, device)
    make_task = entry.load()

    def new_trainer() -> Trainer:
        return Trainer(
            make_task(hyperparameters, opened.context),
            hyperparameters,
            opened.train,
            TrainerSettings(assignment.seed, assignment.max_epochs, device, precision),
        )

    trainer, damage = new_trainer(), list[str]()
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
    numerics = describe_numerics(device, precision, native)
    return Attempt(assignment, trainer, opened.validation, numerics, restored)


def _precision(assignment: Assignment, device: torch.device, native: bool) -> str:
    """Return the precision that the trial or the study began with, unless this machine lacks it."""
    wanted = assignment.precision
    if not assignment.precision_required and wanted not in precisions(device, native):
        wanted = "auto"
    return choose_precision(wanted, assignment.device, native)


def next_epochs(attempt: Attempt, seconds: float) -> tuple[Report, ...]:
    """Train one reported epoch, and more while the study has nothing to decide between them.

    The first of them waits for the last no longer than ``seconds``.
    """
    reports = [next_epoch(attempt)]
    deadline = time.monotonic() + seconds
    while len(reports) < MAX_EPOCHS_PER_REPORT and not _needs_decision(attempt, reports[-1]):
        if time.monotonic() + reports[-1].seconds > deadline:
            break
        _keep_unreported(attempt.assignment, reports)
        reports.append(next_epoch(attempt))
    return tuple(reports)


def _keep_unreported(assignment: Assignment, reports: list[Report]) -> None:
    """Put the last of these where the driver finds it if this process is killed, or itself; the
    first takes the place of those of the message before, which has been answered."""
    path = Path(assignment.folder) / assignment.unreported
    with path.open("w" if len(reports) == 1 else "a") as file:
        file.write(reports[-1].model_dump_json() + "\n")


def _needs_decision(attempt: Attempt, report: Report) -> bool:
    """Whether the study may end the trial at this epoch."""
    assignment = attempt.assignment
    compared = report.epoch in (*assignment.rungs, assignment.max_epochs)
    finite = None not in report.metrics.values()
    return compared or not finite or attempt.trainer.hyperparameters.patience > 0


def next_epoch(attempt: Attempt) -> Report:
    """Train one reported epoch, after any unreported ones, and store it."""
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
        numerics=attempt.numerics,
        restored=restored,
    )
