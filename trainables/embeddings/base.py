"""The interface of a source of word vectors; imports no torch.

Shapes: V words of the vocabulary, M positions of a corpus, E numbers of a vector.
"""

import io
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trainables.data.corpus import Corpus
from trainables.data.spec import DataSpec, Section
from trainables.errors import DataError
from trainables.storage import Cache, replace_file

Matrix = NDArray[np.float32] | NDArray[np.float16]
Settings = TypeVar("Settings", bound=Section)


@dataclass(frozen=True)
class VectorRequest:
    """A request for vectors of a corpus.

    Attributes:
        corpus: the corpus whose vocabulary or texts get vectors.
        data: the ``[data]`` table that the corpus was made from.
        embeddings: the ``[embeddings]`` table, with the keys of every source.
        cache: the cache of this machine.
    """

    corpus: Corpus
    data: DataSpec
    embeddings: Section
    cache: Cache

    def settings(self, kind: type[Settings]) -> Settings:
        """Return the ``[embeddings]`` table as the settings of one source."""
        assert isinstance(self.embeddings, kind)  # EmbeddingsSpec inherits every source's settings
        return self.embeddings


class VectorSource(ABC):
    """A source of vectors that an embedding may start from.

    ``digest`` is called first. ``write`` is called only if no vectors with this digest are prepared
    for the corpus.
    """

    @abstractmethod
    def digest(self, request: VectorRequest) -> str:
        """Return a text that, together with the corpus, identifies the vectors.

        Raises:
            DataError: a package or a file is missing.
        """

    def notes(self, request: VectorRequest) -> tuple[str, ...]:
        """Return what a person should know of the files that the vectors come from."""
        return ()

    @abstractmethod
    def write(self, request: VectorRequest, path: Path) -> None:
        """Write the vectors to ``path`` as .npy, whole or not at all.

        Either float32 vectors_VE, a row for each word, NaN where a word has no vector; or float16
        features_ME, a row for each position, which are never trained.

        Raises:
            DataError: the source is malformed or covers no word, or the disk has no room.
        """


class WordVectors(VectorSource):
    """A source with one vector for each word, small enough to hold in memory."""

    @abstractmethod
    def read(self, request: VectorRequest) -> NDArray[np.float32]:
        """Return vectors_VE of the corpus's vocabulary, NaN where a word has no vector."""

    def write(self, request: VectorRequest, path: Path) -> None:
        """Write the vectors that ``read`` returns to ``path``."""
        write_matrix(self.read(request), path)


def write_matrix(vectors_VE: Matrix, path: Path) -> None:
    """Write vectors to ``path``, whole or not at all.

    Raises:
        DataError: no word has a vector, or there is no room for them.
    """
    if np.isnan(vectors_VE[:, 0]).all():
        raise DataError(
            f"none of the vocabulary's words has a vector in {path.name.rpartition('-')[0]}"
        )
    content = io.BytesIO()
    np.save(content, vectors_VE, allow_pickle=False)
    try:
        replace_file(path, content.getbuffer())
    except OSError as error:
        raise DataError(f"cannot write word vectors to {path}: {error.strerror}") from error
