"""The sources of word vectors by name, and their interface; imports no torch.

Shapes: V words of the vocabulary, M positions of a corpus, E numbers each.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from trainables.data.corpus import Corpus
from trainables.data.spec import DataSpec, Section
from trainables.storage import Cache

#: The embedding of a model whose words start at random.
SCRATCH = "scratch"

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
        from trainables.embeddings.vectors import write_matrix

        write_matrix(self.read(request), path)


@dataclass(frozen=True)
class SourceEntry:
    """A source by name.

    Attributes:
        location: where its class is, as ``module:Class``.
        settings: where its keys of the ``[embeddings]`` table are, if it has any.
        tokens: the ``data.tokens`` that its vectors are made for, if it needs its own.
        frozen: its vectors are features of positions, and never train.
    """

    location: str
    settings: str | None = None
    tokens: str | None = None
    frozen: bool = False

    def load(self) -> VectorSource:
        """Import and make it."""
        made: VectorSource = _imported(self.location)()
        return made

    def load_settings(self) -> type[Section] | None:
        """Import the class of its settings."""
        return _imported(self.settings) if self.settings else None


def _imported(location: str) -> Any:
    module, _, name = location.partition(":")
    return getattr(import_module(f"trainables.embeddings.{module}"), name)


SOURCES: Mapping[str, SourceEntry] = {
    "glove": SourceEntry("glove:Glove", "glove:GloveSettings"),
    "word2vec": SourceEntry("word2vec:Word2Vec", "word2vec:Word2VecSettings"),
    "bert": SourceEntry("bert:BertTable", tokens="bert"),
    "bert-features": SourceEntry("bert:BertFeatures", tokens="bert", frozen=True),
}
