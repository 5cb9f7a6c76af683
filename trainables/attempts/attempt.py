"""One attempt at a trial: from an assignment to reports of its epochs. It knows nothing of Ray.

Quick epochs are reported together, because each message costs the driver time. On a GPU an epoch
may take no longer than its checkpoint, so a thread writes it while the next epoch trains. One more
may wait for that thread, and no third: each takes memory of the host. Nothing is reported before it
is on the disk.
"""

import gc
import math
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import torch

from trainables.attempts.immediate import ImmediateExecutor
from trainables.attempts.messages import (
    Assignment,
    Checkpoint,
    Numerics,
    Report,
    Restored,
    checkpoint_name,
)
from trainables.attempts.numerics import describe_numerics
from trainables.attempts.probe import choose_precision
from trainables.core.batching import Reader
from trainables.core.checkpoint import Snapshot
from trainables.core.device import limit_gpu_memory, prepare_device
from trainables.core.precision import precisions
from trainables.core.trainer import Trainer, TrainerSettings
from trainables.errors import CheckpointError
from trainables.tasks.registry import find_task

#: Most epochs that are reported together. The checkpoint of each epoch that waits to be reported
#: takes room on the disk.
MAX_EPOCHS_PER_REPORT = 10


@dataclass
class Attempt:
    """An attempt under way.

    Attributes:
        assignment: its work.
        trainer: the model and its training.
        validation: the validation part.
        numerics: numerical conditions that go into every report.
        restored: set until the first report if the newest checkpoint was unusable.
        storing: where checkpoints are written: behind training on a GPU, else in line.
    """

    assignment: Assignment
    trainer: Trainer
    validation: Reader
    numerics: Numerics
    restored: Restored | None
    storing: Executor = field(default_factory=ImmediateExecutor)


def begin(assignment: Assignment, folder: Path) -> Attempt:
    """Build the trainer over the prepared data in ``folder``.

    Restore the newest checkpoint that is not damaged, if there is one.
    """
    if assignment.code and assignment.code not in sys.path:
        sys.path.append(assignment.code)  # last, so that no file there hides an installed module
    entry = find_task(assignment.task)
    hyperparameters = entry.declaration.hyperparameters.model_validate(assignment.hyperparameters)
    native = hyperparameters.has_native_recurrence
    device = prepare_device(assignment.device, assignment.threads, assignment.keep_freed_memory)
    if assignment.gpus > 0:
        limit_gpu_memory(assignment.gpus)
    # After the lines above, so that a probe runs with the trial's own threads and memory.
    precision = _precision(assignment, device, native)
    opened = entry.declaration.inputs.open(folder, assignment.inputs, hyperparameters, device)
    make_task, outputs = entry.load(), max(1, len(opened.context.classes))

    def new_trainer() -> Trainer:
        return Trainer(
            make_task(hyperparameters, opened.context),
            hyperparameters,
            opened.train,
            TrainerSettings(assignment.seed, assignment.max_epochs, device, precision, outputs),
        )

    trainer, damage = _restore(assignment, new_trainer)
    if trainer.epoch < assignment.last_journaled_epoch and not damage:
        damage.append("its newest checkpoint is gone")
    restored = Restored(epoch=trainer.epoch, reason="; ".join(damage)) if damage else None
    numerics = describe_numerics(device, precision, native)
    return Attempt(assignment, trainer, opened.validation, numerics, restored, _storing(device))


def _storing(device: torch.device) -> Executor:
    """Return what writes checkpoints: a thread behind training on a GPU, else training's own."""
    return ThreadPoolExecutor(1, "checkpoint") if device.type == "cuda" else ImmediateExecutor()


def _restore(
    assignment: Assignment, new_trainer: Callable[[], Trainer]
) -> tuple[Trainer, list[str]]:
    """Return a trainer at the newest usable checkpoint, and what is wrong with newer ones."""
    trainer, damage = new_trainer(), list[str]()
    for checkpoint in assignment.restore:
        fault = _load(trainer, Path(assignment.folder) / checkpoint.path, checkpoint.digest)
        if fault is None:
            break
        damage.append(fault)
        # The failed load may have changed it. It goes before the next is built, which has to find
        # room beside other processes; its optimiser and its schedule refer to each other.
        del trainer
        gc.collect()
        trainer = new_trainer()
    return trainer, damage


def _load(trainer: Trainer, path: Path, digest: str) -> str | None:
    """Load a checkpoint; return what is wrong with it.

    An exception would keep the trainer alive, by its traceback.
    """
    try:
        trainer.load(path, digest)
    except CheckpointError as error:
        return str(error)
    return None


def _precision(assignment: Assignment, device: torch.device, native: bool) -> str:
    """Return the assigned precision, which the trial or the study began with.

    If this machine lacks it, choose another, unless the assigned one is required.
    """
    wanted = assignment.precision
    if not assignment.precision_required and wanted not in precisions(device, native):
        wanted = "auto"
    return choose_precision(wanted, assignment.device, native)


def next_epochs(attempt: Attempt, seconds: float) -> tuple[Report, ...]:
    """Train one epoch and report it, together with more while the study has nothing to decide.

    The first of them waits for the last no longer than ``seconds``.
    """
    stored, deadline = list[Future[Report]](), math.inf
    while True:
        epoch = _train_epoch(attempt, stored)
        ended = time.monotonic()
        deadline = min(deadline, ended + seconds)
        # The next epoch is expected to take as long as this one.
        in_time = ended + (ended - epoch.started) <= deadline
        waits = (
            in_time
            and len(stored) + 1 < MAX_EPOCHS_PER_REPORT
            and not _needs_decision(attempt, epoch)
        )
        stored.append(attempt.storing.submit(_store, attempt, epoch, waits, not stored))
        if not waits:
            return tuple(future.result() for future in stored)


@dataclass(frozen=True)
class _Epoch:
    """A trained epoch that is not stored yet: its number, its start, its metrics, its state."""

    number: int
    started: float
    metrics: dict[str, float | None]
    snapshot: Snapshot
    restored: Restored | None


def _train_epoch(attempt: Attempt, stored: list[Future[Report]]) -> _Epoch:
    """Train and evaluate one epoch.

    Epochs that are in the journal already, but in no usable checkpoint, are retrained first. The
    snapshot is taken when all earlier epochs of the message but the last are ``stored``.
    """
    assignment, trainer = attempt.assignment, attempt.trainer
    while trainer.epoch < assignment.last_journaled_epoch:
        trainer.train_epoch()
    started = time.monotonic()
    metrics = {"train/loss": trainer.train_epoch()}
    metrics |= {f"val/{k}": v for k, v in trainer.evaluate(attempt.validation).items()}
    restored, attempt.restored = attempt.restored, None  # only the first report carries it
    finite = {k: v if math.isfinite(v) else None for k, v in metrics.items()}
    # A norm that overflows ends no trial: clipping deals with it.
    finite |= {f"train/{k}": v for k, v in trainer.vitals().items() if math.isfinite(v)}
    for before in stored[:-1]:
        before.result()
    return _Epoch(trainer.epoch, started, finite, trainer.snapshot(), restored)


def _needs_decision(attempt: Attempt, epoch: _Epoch) -> bool:
    """Whether the study may end the trial at this epoch.

    It may at a rung, at the last epoch, after a metric that is not finite, and at any epoch of a
    trial with patience.
    """
    assignment = attempt.assignment
    compared = epoch.number in (*assignment.rungs, assignment.max_epochs)
    finite = None not in epoch.metrics.values()
    return compared or not finite or attempt.trainer.hyperparameters.patience > 0


def _store(attempt: Attempt, epoch: _Epoch, waits: bool, first: bool) -> Report:
    """Write an epoch's checkpoint and return its report.

    A report that ``waits`` for later ones is written to the file of unreported epochs, which the
    driver reads if this process, or the driver itself, is killed. The first of a message overwrites
    those of the previous one, which the driver has answered.
    """
    assignment = attempt.assignment
    path = checkpoint_name(assignment.checkpoint_prefix, epoch.number)
    digest = epoch.snapshot.write(Path(assignment.folder) / path)
    report = Report(
        number=assignment.number,
        attempt=assignment.attempt,
        epoch=epoch.number,
        metrics=epoch.metrics,
        seconds=time.monotonic() - epoch.started,
        checkpoint=Checkpoint(epoch=epoch.number, path=path, digest=digest),
        host=socket.gethostname(),
        numerics=attempt.numerics,
        restored=epoch.restored,
    )
    if waits:
        unreported = Path(assignment.folder) / assignment.unreported
        with unreported.open("w" if first else "a", encoding="utf-8") as file:
            file.write(report.model_dump_json() + "\n")
    return report
