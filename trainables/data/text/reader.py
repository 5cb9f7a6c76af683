"""Reading of the texts of one part as padded tensors.

Shapes: B texts, T tokens of the longest text, N texts of a part, K tokens of all texts of a part.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.core.batching import Batch, Rows, moved
from trainables.core.device import fits_on_gpu
from trainables.core.hyperparameters import Hyperparameters
from trainables.data.part import Part
from trainables.data.text.augmentation import augmentation_of
from trainables.data.text.tokens import PAD

#: Function that returns a training text's ids_T with random changes, never longer.
Augment = Callable[[NDArray[np.int32]], NDArray[np.int32]]


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
        rows_B, starts_B, ends_B = (
            moved(torch.from_numpy(some), device) for some in (rows, starts, ends)
        )
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
        held: the part in a GPU's memory, if it is there; batches are then put together there.
        augment: the change that is made to each text, if any.
    """

    part: Part
    max_tokens: int
    keep: str
    held: DeviceTexts | None = None
    augment: Augment | None = None

    def __len__(self) -> int:
        return len(self.part)

    def placed(self, device: torch.device) -> "TextReader":
        """Return a reader that holds its texts in a GPU's memory, if they fit; else this one."""
        if not fits_on_gpu(self.part.ids.nbytes, device):
            return self
        return replace(self, held=DeviceTexts.of(self.part, device))

    def for_training(
        self, hyperparameters: Hyperparameters, rng: np.random.Generator
    ) -> "TextReader":
        """Return a reader for one epoch that draws its augmentation from ``rng``."""
        augmentation = augmentation_of(hyperparameters)
        return replace(self, augment=partial(augmentation.apply, rng=rng) if augmentation else None)

    @property
    def lengths_N(self) -> NDArray[np.int64]:
        """Number of tokens of each text as the model sees it: 1 to ``max_tokens``.

        An empty text has one padding token.
        """
        return np.clip(self.part.lengths, 1, self.max_tokens)

    def read(self, rows: Rows) -> Batch:
        """Return the texts of these rows as a padded batch.

        Augmentation works on NumPy arrays, so augmented texts are always put together on the CPU.
        """
        offsets, ids = self.part.offsets, self.part.ids
        starts, ends = offsets[rows], offsets[rows + 1]
        if self.keep == "end":
            starts = np.maximum(starts, ends - self.max_tokens)
        else:
            ends = np.minimum(ends, starts + self.max_tokens)
        if self.held is not None and self.augment is None:
            return self.held.gather(rows, starts, ends)
        texts = [ids[start:end] for start, end in zip(starts, ends, strict=True)]
        if self.augment is not None:
            texts = [self.augment(text) for text in texts]
        lengths = np.array([max(1, len(text)) for text in texts], dtype=np.int64)
        padded = np.full((len(rows), int(lengths.max())), PAD, dtype=np.int64)
        for row, text in zip(padded, texts, strict=True):
            row[: len(text)] = text
        ids_BT, lengths_B = torch.from_numpy(padded), torch.from_numpy(lengths)
        return Batch((ids_BT, lengths_B), torch.from_numpy(self.part.labels[rows]))
