"""Which texts go through the network together, and how they become tensors.

A *batch* is what one optimiser step sees; a *micro-batch* is what one forward pass holds in
memory. Shapes: B texts, T tokens of the longest text, N texts of a part.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.data.corpus import Part
from trainables.data.tokens import PAD

#: Texts are sorted by length within this many shuffled batches.
BATCHES_PER_BUCKET = 50

Rows = NDArray[np.int64]
Change = Callable[[NDArray[np.int32]], NDArray[np.int32]]


@dataclass(frozen=True)
class Batch:
    """Padded ids_BT (int64), true lengths_B (at least 1) and class targets_B."""

    ids_BT: Tensor
    lengths_B: Tensor
    targets_B: Tensor

    def __len__(self) -> int:
        return len(self.lengths_B)

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device; asynchronous from pinned memory."""
        if device.type == "cpu":
            return self
        moved = (
            t.pin_memory().to(device, non_blocking=True)
            for t in (self.ids_BT, self.lengths_B, self.targets_B)
        )
        return Batch(*moved)


@dataclass(frozen=True)
class TextReader:
    """Cuts texts of one part to ``max_tokens`` and pads them.

    ``keep`` says which end of a longer text stays: ``start`` or ``end``.
    """

    part: Part
    max_tokens: int
    keep: str

    @property
    def lengths_N(self) -> NDArray[np.int64]:
        """Tokens of each text as the model sees it: 1 to ``max_tokens``; an empty text has one
        padding token."""
        return np.clip(self.part.lengths, 1, self.max_tokens)

    def read(self, rows: Rows, change: Change | None = None) -> Batch:
        """Copies the texts of these rows out of the mapped corpus, each changed by ``change``,
        which makes none of them longer."""
        offsets, ids = self.part.offsets, self.part.ids
        starts, ends = offsets[rows], offsets[rows + 1]
        if self.keep == "end":
            starts = np.maximum(starts, ends - self.max_tokens)
        else:
            ends = np.minimum(ends, starts + self.max_tokens)
        texts = [ids[start:end] for start, end in zip(starts, ends, strict=True)]
        if change is not None:
            texts = [change(text) for text in texts]
        lengths = np.array([max(1, len(text)) for text in texts], dtype=np.int64)
        padded = np.full((len(rows), int(lengths.max())), PAD, dtype=np.int64)
        for row, text in zip(padded, texts, strict=True):
            row[: len(text)] = text
        return Batch(
            torch.from_numpy(padded),
            torch.from_numpy(lengths),
            torch.from_numpy(self.part.labels[rows]),
        )


def shuffled_batches(
    lengths_N: NDArray[np.int64], batch_size: int, rng: np.random.Generator
) -> list[Rows]:
    """All rows once, in batches of near-equal length, in random order.

    Every batch has ``batch_size`` rows but at most one, which has the rest.
    """
    order = rng.permutation(len(lengths_N))
    span = batch_size * BATCHES_PER_BUCKET
    batches: list[Rows] = []
    for start in range(0, len(order), span):
        bucket = order[start : start + span]
        bucket = bucket[np.argsort(lengths_N[bucket], kind="stable")]
        batches += [bucket[i : i + batch_size] for i in range(0, len(bucket), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def micro_batches(rows: Rows, lengths_N: NDArray[np.int64], max_tokens: int) -> Iterator[Rows]:
    """Splits rows into runs of near-equal length whose padded size is at most ``max_tokens``.

    A single text longer than that is a micro-batch of its own.
    """
    rows = rows[np.argsort(lengths_N[rows], kind="stable")]
    start = 0
    for end in range(1, len(rows) + 1):
        full = end == len(rows) or lengths_N[rows[end]] * (end + 1 - start) > max_tokens
        if full:
            yield rows[start:end]
            start = end
