"""What bfloat16 costs in quality: validation loss after equal epochs beside float32, five seeds.

``python tests/benchmarks/precision.py [--quick]``: a small mean-pooled LSTM on part of IMDB's
reviews. Where the processor has no instructions for it oneDNN refuses and torch's plain kernels
stand in, which round the states between steps too, and are slow. Speed is ``throughput.py``'s to
tell.
"""

import argparse
import statistics
import sys

import numpy as np
import torch
from verdict import Figure, conclude

from trainables.core.batching import TextReader
from trainables.core.precision import precisions
from trainables.core.task import ModelEnds
from trainables.core.trainer import CPU, Trainer, TrainerSettings
from trainables.data.corpus import Part, default_cache, prepare
from trainables.data.spec import DataSpec
from trainables.hyperparameters import Hyperparameters
from trainables.tasks import find_task

EPOCHS, TOKENS, VALIDATION = 4, 100, 500
H = Hyperparameters(
    embedding_dim=64, hidden_size=64, pooling="mean", batch_size=32, learning_rate=3e-3
)


def some_of(part: Part, count: int) -> Part:
    """Texts from all over a part: it may stand in the order of its labels."""
    rows = np.random.default_rng(0).choice(len(part), count, replace=False)
    texts = [part.ids[part.offsets[row] : part.offsets[row + 1]] for row in rows]
    offsets = np.cumsum([0, *map(len, texts)])
    return Part(np.concatenate(texts), offsets, part.labels[rows])


def losses(precision: str, seed: int, count: int) -> list[float]:
    """Validation loss after each epoch over ``count`` training reviews."""
    corpus = prepare(DataSpec(source="imdb", vocabulary=20000), default_cache())
    train, validation = (
        TextReader(some_of(corpus.part(name), texts), TOKENS, "end")
        for name, texts in (("train", count), ("validation", VALIDATION))
    )
    ends = ModelEnds(corpus.vocabulary, corpus.classes, train.part.labels)
    task = find_task("text-classification").load()(H, ends)
    trainer = Trainer(task, H, train, TrainerSettings(seed, EPOCHS, CPU, precision))
    found = []
    with torch.backends.mkldnn.flags(enabled="bfloat16" in precisions(CPU)):
        for _ in range(EPOCHS):
            trainer.train_epoch()
            found.append(trainer.evaluate(validation)["loss"])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, judges nothing")
    quick = parser.parse_args().quick
    count, seeds = (256, 1) if quick else (1500, 5)
    found = {
        precision: [losses(precision, seed, count) for seed in range(seeds)]
        for precision in ("float32", "bfloat16")
    }
    means = {
        precision: [statistics.mean(column) for column in zip(*runs, strict=True)]
        for precision, runs in found.items()
    }
    for precision, row in means.items():
        print(f"{precision}: " + "  ".join(f"{value:.4f}" for value in row))
    apart = [abs(b / a - 1) for a, b in zip(*means.values(), strict=True)]
    figures = {
        f"loss_apart_percent_epoch_{epoch}": Figure(100 * share, "<=2")
        for epoch, share in enumerate(apart, 1)
    }
    return conclude("precision", figures, quick)


if __name__ == "__main__":
    sys.exit(main())
