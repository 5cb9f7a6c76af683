"""One part of a corpus: token ids, offsets and labels, memory-mapped."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.errors import DataError

#: Names of the parts.
PARTS = ("train", "validation", "test")

#: Arrays of a part; each is one .npy file.
ARRAYS = ("ids", "offsets", "labels")

_DIGEST_BYTES = 8


@dataclass(frozen=True)
class Part:
    """The texts and labels of one part.

    Text ``i`` is ``ids[offsets[i]:offsets[i + 1]]``, and its label is ``labels[i]``.

    Attributes:
        ids: token ids of all texts, one text after another; int32.
        offsets: start of each text in ``ids``, and the end of the last one; int64. There is one
            more than there are texts.
        labels: class numbers (int64) or numbers to predict (float64).
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int64] | NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each text."""
        return np.diff(self.offsets)


def read_lengths(part: Part, max_tokens: int) -> NDArray[np.int64]:
    """Return how many tokens of each text are read: ``max_tokens`` at most."""
    return np.minimum(part.lengths, max_tokens)


def map_part(folder: Path) -> Part:
    """Map a part read-only.

    Raises:
        DataError: its files are gone, or are no valid .npy files.
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


def fingerprint(ids_N: NDArray[np.int32]) -> bytes:
    """Return a digest of a text as a model reads it, before it is cut."""
    return hashlib.blake2b(
        np.ascontiguousarray(ids_N, dtype="<i4").tobytes(), digest_size=_DIGEST_BYTES
    ).digest()


def fingerprints(*parts: Part) -> bytes:
    """Return the digests of the texts of parts, sorted, one behind the other."""
    texts = (part.ids[a:b] for part in parts for a, b in pairwise(part.offsets))
    return b"".join(sorted(set(map(fingerprint, texts))))


def stand_in(prints: bytes, ids: Sequence[NDArray[np.int32]]) -> NDArray[np.bool_]:
    """Return which texts read as one of those with these digests does, seen_N."""
    size = _DIGEST_BYTES
    known = {prints[at : at + size] for at in range(0, len(prints), size)}
    return np.array([fingerprint(ids_N) in known for ids_N in ids], dtype=np.bool_)
