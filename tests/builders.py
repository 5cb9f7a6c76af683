"""Small real pieces that many tests start from."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainables.attempts.messages import Assignment
from trainables.core.task import TaskContext
from trainables.core.trainer import CPU, Trainer, TrainerSettings
from trainables.data.corpus import Corpus
from trainables.data.part import Part
from trainables.data.spec import DataSpec
from trainables.data.text.reader import TextReader
from trainables.embeddings.base import VectorRequest
from trainables.storage import Cache
from trainables.tasks.declaration import TrialInputs
from trainables.tasks.registry import TASKS, TaskEntry
from trainables.tasks.text_inputs import TextInputs

#: Every kind of noise and averaging at once.
EVERYTHING: dict[str, Any] = {
    "dropout": 0.3,
    "word_dropout": 0.2,
    "embedding_dropout": 0.1,
    "input_dropout": 0.1,
    "locked_dropout": True,
    "weight_drop": 0.2,
    "layer_norm": True,
    "head_hidden": 3,
    "token_drop": 0.1,
    "token_swap": 0.2,
    "token_crop": 0.3,
    "ema_decay": 0.9,
}


def make_part(texts: int = 40, longest: int = 12, seed: int = 0, labels: str = "class") -> Part:
    """Random token ids whose class, or number (10 or 15), shows in the first token."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, texts)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = rng.integers(4, 30, offsets[-1]).astype(np.int32)
    classes = rng.integers(0, 2, texts).astype(np.int64)
    ids[offsets[:-1]] = 2 + classes
    return Part(ids, offsets, classes if labels == "class" else (10 + 5 * classes).astype("f4"))


def labels_of(task: str | TaskEntry) -> str:
    """``class`` or ``number``: a text task's targets."""
    entry = TASKS[task] if isinstance(task, str) else task
    inputs = entry.declaration.inputs
    assert isinstance(inputs, TextInputs)
    return inputs.labels


def vector_request(corpus: Corpus, embeddings: Any, data: DataSpec) -> VectorRequest:
    """A request for vectors of a corpus that lies in a cache."""
    return VectorRequest(corpus, data, embeddings, Cache(corpus.path.parent.parent))


def make_trainer(
    seed: int = 0,
    max_epochs: int = 4,
    part: Part | None = None,
    task: str = "text-classification",
    precision: str = "float32",
    device: torch.device = CPU,
    **hyperparameters: Any,
) -> Trainer:
    """A small trainer over random texts."""
    part = part or make_part(labels=labels_of(task))
    sizes = {"embedding_dim": 8, "hidden_size": 6, "batch_size": 16, "learning_rate": 0.01}
    settings = TrainerSettings(seed, max_epochs, device, precision)
    reader = TextReader(part, 12, "end").placed(device)
    return train_task(TASKS[task], reader, settings, **(sizes | hyperparameters))


def train_task(
    entry: TaskEntry, reader: TextReader, settings: TrainerSettings, **hyperparameters: Any
) -> Trainer:
    """A trainer of any task over texts of 30 different tokens."""
    h = entry.declaration.hyperparameters(**hyperparameters)
    classes = ("a", "b") if labels_of(entry) == "class" else ()
    task = entry.load()(h, TaskContext(30, classes, reader.part.labels))
    return Trainer(task, h, reader, settings)


def make_assignment(corpus: Path, folder: Path, **given: Any) -> Assignment:
    """A first attempt at a trial of classification over a corpus, in ``folder``."""
    usual: dict[str, Any] = {"hyperparameters": {}, "max_epochs": 2}
    usual |= {"task": "text-classification"}
    usual |= {"inputs": TrialInputs(settings={"max_tokens": 16, "keep": "end"})}
    return Assignment(
        number=0,
        attempt=1,
        seed=0,
        data=str(corpus),
        folder=str(folder),
        checkpoint_prefix="",
        unreported="unreported.jsonl",
        log="trial.log",
        **(usual | given),
    )
