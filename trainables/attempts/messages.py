"""Messages between the study and a process that trains: plain JSON, no torch, no pickle."""

from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from trainables.tasks.declaration import TrialInputs


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Checkpoint(_Message):
    """The stored state of a trial after an epoch.

    Attributes:
        epoch: the epoch after which it was stored.
        path: relative to the study's folder.
        digest: SHA-256 of the file's bytes.
    """

    epoch: int
    path: str
    digest: str


def checkpoint_name(prefix: str, epoch: int) -> str:
    """Return the path of an epoch's checkpoint from the start that an assignment gives it."""
    return f"{prefix}epoch-{epoch:03d}.safetensors"


class Numerics(_Message):
    """Numerical conditions that two runs must share to give bit-identical results.

    Attributes:
        device: ``cpu``, or the GPU's name.
        precision: number format of the model's products: ``float32`` or ``bfloat16``.
        threads: torch's CPU threads.
        processor: the CPU's model name.
        recurrence: ``native`` where ``trainables.kernels`` computes the recurrence; ``torch`` where
            torch does, on a GPU or because there is no compiler; ``own`` for a model that has no
            kernel.
    """

    device: str
    precision: str
    threads: int
    processor: str
    recurrence: str

    def __str__(self) -> str:
        return (
            f"{self.device}, {self.threads} threads, {self.precision}, {self.processor}, "
            f"{self.recurrence} recurrence"
        )


class Assignment(_Message):
    """The work of one attempt at one trial.

    Attributes:
        number: the trial's number.
        attempt: the attempt's number in the trial.
        task: the task's name, as in the registry or as ``module:Class``.
        hyperparameters: the configuration, as the task's class of hyperparameters parses it.
        seed: seed of all random numbers of the training.
        max_epochs: epochs of a trial that is not stopped early.
        data: folder of the prepared data on the driver's machine.
        inputs: the part of the prepared data that the trial reads.
        folder: the study's folder, absolute; checkpoints are written under it.
        checkpoint_prefix: relative to ``folder``; ``checkpoint_name`` appends the epoch.
        unreported: file, relative to ``folder``, of epochs that wait to be reported together.
        log: file, relative to ``folder``, of warnings; it is made with the first.
        code: folder of a task of the user's own, as the driver has found it; empty for a built-in.
        restore: acknowledged checkpoints, newest first; an older one serves if a newer is damaged.
        last_journaled_epoch: epochs up to this one are in the journal. If they must be retrained,
            they are not reported again.
        rungs: epochs at which trials are compared. The report of a rung is sent at once, and the
            next epoch is trained only after the answer.
        threads: CPU threads.
        gpus: share of one GPU whose memory the trial may take, at most 1; 0 to compute on the CPU.
        precision: ``float32``, ``bfloat16``, or ``auto`` for the faster one.
        precision_required: refuse a machine that lacks ``precision``, instead of choosing another.
        keep_freed_memory: whether the C library keeps memory that a training step on a CPU frees.
    """

    number: int
    attempt: int
    task: str
    hyperparameters: dict[str, Any]
    seed: int
    max_epochs: int
    data: str
    inputs: TrialInputs
    folder: str
    checkpoint_prefix: str
    unreported: str
    log: str
    code: str = ""
    restore: tuple[Checkpoint, ...] = ()
    last_journaled_epoch: int = 0
    rungs: tuple[int, ...] = ()
    threads: int = 1
    gpus: float = 0.0
    precision: str = "auto"
    precision_required: bool = False
    keep_freed_memory: bool = True

    @property
    def device(self) -> str:
        """``cuda`` for a trial that has a share of a GPU, else ``cpu``."""
        return "cuda" if self.gpus > 0 else "cpu"


class Restored(_Message):
    """A note that the newest checkpoint was unusable.

    Attributes:
        epoch: the epoch that the attempt went on from; 0 if no checkpoint was usable.
        reason: why each newer checkpoint was unusable.
    """

    epoch: int
    reason: str


class Report(_Message):
    """One finished epoch.

    Attributes:
        number: the trial's number.
        attempt: the attempt's number in the trial.
        epoch: the epoch, from 1.
        metrics: ``train/loss``, and the task's metrics under ``val/``; None if not finite.
        seconds: time that the epoch took: training, evaluation and checkpoint.
        checkpoint: the trial's state after the epoch.
        host: name of the machine.
        numerics: numerical conditions of the attempt.
        restored: set in an attempt's first report if its newest checkpoint was unusable.
    """

    number: int
    attempt: int
    epoch: int
    metrics: dict[str, float | None]
    seconds: float
    checkpoint: Checkpoint
    host: str
    numerics: Numerics
    restored: Restored | None = None


#: Content of one message: reports of one attempt's epochs, in order.
REPORTS = TypeAdapter(tuple[Report, ...])
