"""The Ray side of a trial: an actor that trains one attempt after another, an epoch a step.

The only file of this package that imports ray. It decides nothing and keeps nothing: it is told
what to train, trains an epoch, stores a checkpoint and reports. Errors leave it as they are, so
that Ray ends the actor and the study hears of it.
"""

import math
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune

from trainables.core.batching import TextReader
from trainables.core.device import Numerics, describe_numerics, prepare_device
from trainables.core.trainer import ModelSize, Trainer, TrainerSettings
from trainables.data.corpus import open_corpus
from trainables.errors import CheckpointError
from trainables.messages import Assignment, Checkpoint, Report, Restored
from trainables.tasks import TASKS

#: Keys of what Ray carries: an assignment into the actor and a report out of it, as JSON.
ASSIGNMENT, REPORT = "assignment", "report"


@dataclass
class _Attempt:
    """An attempt under way."""

    assignment: Assignment
    trainer: Trainer
    validation: TextReader
    numerics: Numerics
    restored: Restored | None


class RecurrentTrial(tune.Trainable):  # type: ignore[misc]
    """One step is one reported epoch; reused for the next trial without a new process."""

    def setup(self, config: dict[str, Any]) -> None:
        """Takes an assignment; the work starts with the first step."""
        self._assignment = Assignment.model_validate_json(config[ASSIGNMENT])
        self._attempt: _Attempt | None = None

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Drops the old trial and takes the next one."""
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Trains until the first epoch that is not yet acknowledged is done, and reports it."""
        if self._attempt is None:
            self._attempt = begin(self._assignment)
        return {REPORT: next_epoch(self._attempt).model_dump_json()}


def begin(assignment: Assignment) -> _Attempt:
    """Builds the trainer and restores the newest checkpoint that is whole."""
    device = prepare_device(assignment.device, assignment.threads)
    corpus = open_corpus(Path(assignment.corpus))
    train, validation = (
        TextReader(corpus.part(part), assignment.max_tokens, assignment.keep)
        for part in ("train", "validation")
    )

    def new_trainer() -> Trainer:
        return Trainer(
            TASKS[assignment.task].load(),
            assignment.hyperparameters,
            ModelSize(corpus.vocabulary, len(corpus.classes)),
            train,
            TrainerSettings(assignment.seed, assignment.max_epochs, device),
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
    if not assignment.restore and assignment.acknowledged:
        damage.append("no checkpoint is left")
    restored = Restored(epoch=trainer.epoch, reason="; ".join(damage)) if damage else None
    return _Attempt(assignment, trainer, validation, describe_numerics(device), restored)


def next_epoch(attempt: _Attempt) -> Report:
    """Trains one reported epoch, after any unreported ones, and stores it."""
    assignment, trainer = attempt.assignment, attempt.trainer
    while trainer.epoch < assignment.acknowledged:
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
        processor=attempt.numerics.processor,
        restored=restored,
    )
