"""The interface of a source of word vectors: two methods; imports no torch.

Shapes: V words of the vocabulary, M positions of a corpus, E numbers each.
"""

import os
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trainables.data.corpus import Corpus
from trainables.data.spec import DataSpec, Section
from trainables.errors import DataError
from trainables.storage import Cache

Matrix = NDArray[np.float32] | NDArray[np.float16]
Settings = TypeVar("Settings", bound=Section)


@dataclass(frozen=True)
class VectorRequest:
    """Which vectors are wanted: of this corpus's vocabulary or texts, by these settings."""

    corpus: Corpus
    data: DataSpec
    embeddings: Section
    cache: Cache

    def settings(self, kind: type[Settings]) -> Settings:
        """Return a source's own keys of the ``[embeddings]`` table."""
        assert isinstance(self.embeddings, kind)  # EmbeddingsSpec has every source's keys
        return self.embeddings


class VectorSource(ABC):
    """Where an embedding may start from: two methods."""

    @abstractmethod
    def digest(self, request: VectorRequest) -> str:
        """Return a text that identifies the vectors, beside their corpus.

        Raises:
            DataError: a package or a file is missing.
        """

    @abstractmethod
    def write(self, request: VectorRequest, path: Path) -> None:
        """Put the vectors at ``path`` as .npy, whole or not at all.

        float32 vectors_VE have a row a word, NaN where a word has none. float16 features_ME have a
        row a position: they stay frozen.

        Raises:
            DataError: the source is malformed, or covers no word, or there is no room.
        """


class WordVectors(VectorSource):
    """A source with one vector a word, small enough to be held in memory while it is read."""

    @abstractmethod
    def read(self, request: VectorRequest) -> NDArray[np.float32]:
        """Return vectors_VE of the corpus's vocabulary, NaN where a word has none."""

    def write(self, request: VectorRequest, path: Path) -> None:
        """Put what ``read`` returns at ``path``."""
        write_matrix(self.read(request), path)


def write_matrix(vectors_VE: Matrix, path: Path) -> None:
    """Put vectors in their place, whole.

    Raises:
        DataError: no word has a vector.
    """
    if np.isnan(vectors_VE[:, 0]).all():
        raise DataError(
            f"none of the vocabulary's words has a vector in {path.name.rpartition('-')[0]}"
        )
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        np.save(file, vectors_VE, allow_pickle=False)
    os.replace(file.name, path)
