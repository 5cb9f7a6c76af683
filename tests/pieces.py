"""Small real pieces that many tests start from."""

import csv
import random
from pathlib import Path
from typing import Any

import numpy as np

from trainables.core.batching import TextReader
from trainables.core.trainer import ModelEnds, Trainer, TrainerSettings
from trainables.data.corpus import Part
from trainables.hyperparameters import Hyperparameters
from trainables.tasks import TASKS

GOOD = ["a", "warm", "funny", "moving", "and", "clever", "film", "with", "great", "acting"]
BAD = ["a", "dull", "lazy", "boring", "and", "stupid", "mess", "with", "awful", "acting"]


def write_reviews(path: Path, rows: int = 120, seed: int = 0) -> Path:
    """A learnable csv of short reviews with string labels."""
    rng = random.Random(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "sentiment"])
        for index in range(rows):
            good = index % 2 == 0
            words = rng.choices(GOOD if good else BAD, k=rng.randint(3, 12))
            writer.writerow([" ".join(words) + f" {index}", "good" if good else "bad"])
    return path


def make_part(texts: int = 40, longest: int = 12, seed: int = 0) -> Part:
    """Random token ids whose class shows in the first token."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, texts)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = rng.integers(4, 30, offsets[-1]).astype(np.int32)
    labels = rng.integers(0, 2, texts).astype(np.int64)
    ids[offsets[:-1]] = 2 + labels
    return Part(ids, offsets, labels)


def make_trainer(
    seed: int = 0, max_epochs: int = 4, part: Part | None = None, **hyperparameters: Any
) -> Trainer:
    """A small trainer over random texts."""
    sizes = {"embedding_dim": 8, "hidden_size": 6, "batch_size": 16, "learning_rate": 0.01}
    return Trainer(
        TASKS["text-classification"].load(),
        Hyperparameters(**(sizes | hyperparameters)),
        ModelEnds(vocabulary=30, classes=2),
        TextReader(part or make_part(), 12, "end"),
        TrainerSettings(seed, max_epochs),
    )
