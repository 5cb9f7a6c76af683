"""The sources of word vectors by name; imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from trainables.data.spec import Section
from trainables.embeddings.base import VectorSource

#: The embedding of a model whose words start at random.
SCRATCH = "scratch"


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
