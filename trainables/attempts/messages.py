"""What passes between the study and a process that trains: plain JSON, no torch, no pickle."""

from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from trainables.tasks.declaration import TrialInputs


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Checkpoint(_Message):
    """A stored epoch: its path relative to the study's folder and the SHA-256 of its bytes."""

    epoch: int
    path: str
    digest: str


class Numerics(_Message):
    """All that a repetition must share to be bit for bit the same.

    Attributes:
        device: ``cpu``, or the GPU's name.
        precision: what the model multiplies in: ``float32``, ``bfloat16`` or ``float16``.
        recurrence: ``native`` where ``trainables.kernels`` computes it; ``torch`` where torch does,
            on a GPU or for want of a compiler; ``own`` for a model that no kernel is made for.
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
    """One attempt at one trial.

    Attributes:
        data: the folder of the prepared data, where the driver has it.
        inputs: what the trial reads of it.
        folder: the study's folder, absolute; checkpoints are written under it.
        checkpoint_prefix: relative to ``folder``; ``epoch-NNN.safetensors`` is appended.
        unreported: the file, relative to ``folder``, of epochs that wait to be reported together.
        restore: acknowledged checkpoints, newest first; an older one serves when a newer is bad.
        last_journaled_epoch: epochs up to it are in the journal, and retrained without a report.
        precision_required: refuse a machine that lacks ``precision``, instead of choosing another.
        gpus: the share of one GPU whose memory it may take, at most 1; 0 to compute on the CPU.
        rungs: epochs at which trials are compared: each is reported at once, and answered before
            the next is trained.
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
        """``cuda`` on its share of a GPU, else ``cpu``."""
        return "cuda" if self.gpus > 0 else "cpu"


class Restored(_Message):
    """An attempt that could not use the newest checkpoint: the epoch it fell back to, and why."""

    epoch: int
    reason: str


class Report(_Message):
    """One finished epoch. A metric that is not finite is None."""

    number: int
    attempt: int
    epoch: int
    metrics: dict[str, float | None]
    seconds: float
    checkpoint: Checkpoint
    host: str
    numerics: Numerics
    restored: Restored | None = None


#: What one message carries: epochs of one attempt, in order.
REPORTS = TypeAdapter(tuple[Report, ...])
