"""A data set for tests; it needs no torch."""

import csv
import random
from pathlib import Path
from typing import Any

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


def small_study(reviews: Path) -> dict[str, Any]:
    """A small study over ``reviews``, as TOML tables."""
    return {
        "name": "small",
        "data": {"source": str(reviews), "max_tokens": 16, "vocabulary": 100},
        "fixed": {"embedding_dim": 8, "batch_size": 16},
        "space": {
            "hidden_size": [4, 8],
            "learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
            "dropout": {"low": 0.0, "high": 0.5},
        },
        "search": {"trials": 6, "sampler": "tpe", "seed": 1},
        "stopping": {
            "max_epochs": 4,
            "grace_epochs": 1,
            "reduction_factor": 2,
            "losers": "stop",
        },
    }
