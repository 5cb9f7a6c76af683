"""What bfloat16 costs in quality: validation loss after equal epochs beside float32, five seeds.

``python tests/benchmarks/precision.py [--quick]``: a small mean-pooled LSTM on IMDB's reviews, of
each its last 200 words, until it gets no better. Only where the processor computes in bfloat16.
Speed is ``throughput.py``'s to tell.
"""

import argparse
import statistics
import sys

from verdict import Figure, conclude, spread

from trainables.core.device import prepare_device
from trainables.core.precision import precisions
from trainables.core.task import TaskContext
from trainables.core.trainer import Trainer, TrainerSettings
from trainables.data.corpus import prepare
from trainables.data.part import Part
from trainables.data.spec import DataSpec
from trainables.data.text.reader import TextReader
from trainables.networks.hyperparameters import RecurrentClassifierHyperparameters
from trainables.storage import default_cache
from trainables.tasks.registry import find_task

EPOCHS, TOKENS = 3, 200
H = RecurrentClassifierHyperparameters(
    embedding_dim=64, hidden_size=64, pooling="mean", batch_size=64, learning_rate=1e-3
)


def losses(precision: str, seed: int, count: int) -> list[float]:
    """Validation loss after each epoch over the first ``count`` training reviews."""
    device = prepare_device("cpu", 1)
    corpus = prepare(DataSpec(source="imdb", vocabulary=20000), default_cache())
    whole = corpus.part("train")
    part = Part(whole.ids, whole.offsets[: count + 1], whole.labels[:count])
    train, validation = (
        TextReader(some, TOKENS, "end") for some in (part, corpus.part("validation"))
    )
    ends = TaskContext(corpus.vocabulary, corpus.classes, train.part.labels)
    task = find_task("text-classification").load()(H, ends)
    trainer = Trainer(task, H, train, TrainerSettings(seed, EPOCHS, device, precision))
    found = []
    for _ in range(EPOCHS):
        trainer.train_epoch()
        found.append(trainer.evaluate(validation)["loss"])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, judges nothing")
    quick = parser.parse_args().quick
    device = prepare_device("cpu", 1)
    if "bfloat16" not in precisions(device):
        parser.error("this processor does not compute in bfloat16")
    count, seeds = (1000, 1) if quick else (20_000, 5)
    figures = {}
    found = {
        precision: [losses(precision, seed, count) for seed in range(seeds)]
        for precision in ("float32", "bfloat16")
    }
    for epoch, (single, half) in enumerate(
        zip(*(zip(*runs, strict=True) for runs in found.values()), strict=True), 1
    ):
        apart = 100 * (statistics.mean(half) / statistics.mean(single) - 1)
        print(
            f"epoch {epoch}: float32 {statistics.mean(single):.4f}, median {spread(single, 4)}; "
            f"bfloat16 {statistics.mean(half):.4f}, median {spread(half, 4)}; {apart:+.2f} %"
        )
        figures[f"loss_apart_percent_epoch_{epoch}"] = Figure(abs(apart), "<=2")
    return conclude("precision", figures, quick)


if __name__ == "__main__":
    sys.exit(main())
