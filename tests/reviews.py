"""A data set for tests; it needs no torch."""

import csv
import random
from pathlib import Path

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
