"""Reading of the texts of one part as padded tensors.

Shapes: B texts, T tokens of the longest text, N texts of a part, K tokens of all texts of a part.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.core.batching import Batch, Rows, moved
from trainables.core.device import fits_on_gpu
from trainables.core.hyperparameters import Hyperparameters
from trainables.data.part import Part
from trainables.data.text.edits import Edits
from trainables.data.text.tokens import PAD

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class DeviceTexts:
    """A part in a device's memory, so that a batch sends only row numbers and offsets there.

    The last token of ``ids_K`` is padding.
    """

    ids_K: Tensor
    targets_N: Tensor

    @classmethod
    def of(cls, part: Part, device: torch.device) -> "DeviceTexts":
        """Copy all tokens and labels of a part to a device."""
        ids_K = torch.from_numpy(np.append(part.ids, np.int32(PAD)))
        return cls(ids_K.to(device), torch.from_numpy(np.array(part.labels)).to(device))

    def gather(self, rows: Rows, starts: Rows, ends: Rows) -> Batch:
        """Return the texts of these rows as a padded batch, put together on the device.

        ``starts`` and ``ends`` are the offsets of each text in ``ids_K``.
        """
        width, device = max(1, int((ends - starts).max())), self.ids_K.device
        rows_B, starts_B, ends_B = moved(torch.from_numpy(np.stack([rows, starts, ends])), device)
        places_BT = starts_B[:, None] + torch.arange(width, device=device)
        # Places behind the end of a text refer to the last token, which is padding.
        places_BT = places_BT.where(places_BT < ends_B[:, None], len(self.ids_K) - 1)
        lengths_B = (ends_B - starts_B).clamp(min=1)
        return Batch((self.ids_K[places_BT].long(), lengths_B), self.targets_N[rows_B])


@dataclass(frozen=True)
class TextReader:
    """A reader that cuts the texts of one part to ``max_tokens`` and pads them.

    Attributes:
        part: the texts and their labels.
        max_tokens: the most tokens that are read of a text.
        keep: the end of a longer text that is read: ``start`` or ``end``.
        device: where batches are wanted.
        held: the part in a GPU's memory, if it is there; batches are then put together there.
        edits: the random edits of a training epoch, if any.
    """

    part: Part
    max_tokens: int
    keep: str
    device: torch.device = _CPU
    held: DeviceTexts | None = None
    edits: Edits | None = None

    def __len__(self) -> int:
        return len(self.part)

    def placed(self, device: torch.device) -> "TextReader":
        """Return a reader for a device, which holds the texts there if they fit."""
        fits = fits_on_gpu(self.part.ids.nbytes, device)
        held = DeviceTexts.of(self.part, device) if fits else None
        return replace(self, device=device, held=held)

    def for_training(
        self, hyperparameters: Hyperparameters, rng: np.random.Generator
    ) -> "TextReader":
        """Return a reader for one epoch that draws its augmentation from ``rng``."""
        return replace(self, edits=Edits.of_epoch(hyperparameters, rng, self.device))

    @property
    def lengths_N(self) -> NDArray[np.int64]:
        """Number of tokens of each text as the model sees it: 1 to ``max_tokens``.

        An empty text has one padding token.
        """
        return np.clip(self.part.lengths, 1, self.max_tokens)

    def read(self, rows: Rows) -> Batch:
        """Return the texts of these rows as a padded batch."""
        starts, ends = self.part.offsets[rows], self.part.offsets[rows + 1]
        if self.keep == "end":
            starts = np.maximum(starts, ends - self.max_tokens)
        else:
            ends = np.minimum(ends, starts + self.max_tokens)
        if self.edits is not None:
            starts, ends = self.edits.cut(starts, ends)
        gather = self._padded if self.held is None else self.held.gather
        batch = gather(rows, starts, ends)
        if self.edits is None:
            return batch
        # Edits are drawn on the device that the batch is for, wherever it was put together.
        ids_BT, lengths_B = batch.to(self.device).inputs
        return Batch(self.edits.apply(ids_BT, lengths_B), batch.targets_B)

    def _padded(self, rows: Rows, starts: Rows, ends: Rows) -> Batch:
        texts = [self.part.ids[start:end] for start, end in zip(starts, ends, strict=True)]
        lengths = np.maximum(1, ends - starts)
        padded = np.full((len(rows), int(lengths.max())), PAD, dtype=np.int64)
        for row, text in zip(padded, texts, strict=True):
            row[: len(text)] = text
        ids_BT, lengths_B = torch.from_numpy(padded), torch.from_numpy(lengths)
        return Batch((ids_BT, lengths_B), torch.from_numpy(self.part.labels[rows]))
