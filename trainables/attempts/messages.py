"""What passes between the study and a process that trains: plain JSON, no torch, no pickle."""

from pydantic import BaseModel, ConfigDict, TypeAdapter

from trainables.core.hyperparameters import Hyperparameters


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Checkpoint(_Message):
    """A stored epoch: its path relative to the study's folder and the SHA-256 of its bytes."""

    epoch: int
    path: str
    digest: str


class Assignment(_Message):
    """One attempt at one trial.

    Attributes:
        vectors: the file of word vectors its embedding starts from, by its name in the corpus.
        folder: the study's folder, absolute; checkpoints are written under it.
        checkpoint_prefix: relative to ``folder``; ``epoch-NNN.safetensors`` is appended.
        unreported: where, relative to ``folder``, epochs stand that wait to be reported with others.
        restore: acknowledged checkpoints, newest first; an older one serves when a newer is bad.
        last_journaled_epoch: last epoch the journal holds; epochs up to it are retrained unreported.
        precision_required: a machine that lacks ``precision`` is an error, and does not choose
            another.
        gpus: the share of one GPU whose memory it may take, at most 1; 0 to compute on the CPU.
        rungs: epochs at which trials are compared: each is reported at once, and answered before
            the next is trained.
    """

    number: int
    attempt: int
    task: str
    hyperparameters: Hyperparameters
    seed: int
    max_epochs: int
    corpus: str
    vectors: str | None = None
    max_tokens: int
    keep: str
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
        """Where it computes: ``cuda`` on its share of a GPU, else ``cpu``."""
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
    device: str
    threads: int
    precision: str
    processor: str
    recurrence: str
    restored: Restored | None = None


#: What one message carries: epochs of one attempt, in order.
REPORTS = TypeAdapter(tuple[Report, ...])
