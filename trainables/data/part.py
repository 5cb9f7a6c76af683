"""One part of a corpus: token ids, offsets and labels, memory-mapped."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.errors import DataError

#: The files of a part: one .npy each.
ARRAYS = ("ids", "offsets", "labels")


@dataclass(frozen=True)
class Part:
    """One part's texts: text ``i`` is ``ids[offsets[i]:offsets[i + 1]]``, its label ``labels[i]``.

    ids int32, offsets int64 (one more than there are texts), labels int64 (classes) or float32.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int64] | NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text."""
        return np.diff(self.offsets)


def read_lengths(part: Part, max_tokens: int) -> NDArray[np.int64]:
    """Return the tokens of each text as it is read: ``max_tokens`` at most."""
    return np.minimum(part.lengths, max_tokens)


def map_part(folder: Path) -> Part:
    """Map a part read-only.

    Raises:
        DataError: its files are gone or differ from what was written.
    """
    try:
        ids, offsets, labels = (
            np.load(folder / f"{array}.npy", mmap_mode="r", allow_pickle=False) for array in ARRAYS
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"part {folder.name!r} of corpus {folder.parent} is damaged: {error}"
        ) from None
    return Part(ids, offsets, labels)
