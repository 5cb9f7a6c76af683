"""Which texts go through the network together, and how they become tensors.

A *batch* is what one optimiser step sees; a *micro-batch* is what one forward pass holds in
memory. Shapes: B texts, T tokens of the longest text, N texts of a part, K tokens of them all.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.core.device import fits_on_gpu
from trainables.data.corpus import Part
from trainables.data.text.tokens import PAD

#: Texts are sorted by length within this many shuffled batches. Of what is computed over IMDB's
#: reviews 2 % is then padding, 7 % within 10, 42 % unsorted: no machine would choose otherwise.
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
        return Batch(*(_moved(t, device) for t in (self.ids_BT, self.lengths_B, self.targets_B)))


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    """Without waiting for the device."""
    if tensor.device.type == device.type:
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


@dataclass(frozen=True)
class DeviceTexts:
    """A part in a device's memory: only row numbers travel there. The last token is padding."""

    ids_K: Tensor
    targets_N: Tensor

    @classmethod
    def of(cls, part: Part, device: torch.device) -> "DeviceTexts":
        """Copies all tokens and labels."""
        ids_K = torch.from_numpy(np.append(part.ids, np.int32(PAD)))
        return cls(ids_K.to(device), torch.from_numpy(np.array(part.labels)).to(device))

    def gather(self, rows: Rows, starts: Rows, ends: Rows) -> Batch:
        """The tokens from ``starts`` to ``ends`` of each row, padded, put together there."""
        width, device = max(1, int((ends - starts).max())), self.ids_K.device
        rows_B, starts_B, ends_B = (
            _moved(torch.from_numpy(some), device) for some in (rows, starts, ends)
        )
        places_BT = starts_B[:, None] + torch.arange(width, device=device)
        places_BT = places_BT.where(places_BT < ends_B[:, None], len(self.ids_K) - 1)
        lengths_B = (ends_B - starts_B).clamp(min=1)
        return Batch(self.ids_K[places_BT].long(), lengths_B, self.targets_N[rows_B])


@dataclass(frozen=True)
class TextReader:
    """Cuts texts of one part to ``max_tokens`` and pads them.

    ``keep`` says which end of a longer text stays: ``start`` or ``end``. Texts that are ``held`` by
    a device are put together there.
    """

    part: Part
    max_tokens: int
    keep: str
    held: DeviceTexts | None = None

    def placed(self, device: torch.device) -> "TextReader":
        """A reader of the same texts out of a GPU's memory, where they fit."""
        if not fits_on_gpu(self.part.ids.nbytes, device):
            return self
        return replace(self, held=DeviceTexts.of(self.part, device))

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
        if self.held is not None and change is None:
            return self.held.gather(rows, starts, ends)
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
