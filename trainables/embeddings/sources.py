"""The registry of sources of word vectors; imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from trainables.data.spec import Section
from trainables.embeddings.base import VectorSource

#: Value of the hyperparameter ``embedding`` for words that start at random. It has no source.
SCRATCH = "scratch"


@dataclass(frozen=True)
class SourceEntry:
    """A registered source.

    Attributes:
        location: its class, as ``module:Class`` in this package.
        settings: the class of its keys of the ``[embeddings]`` table, likewise; None if it has no
            keys.
        tokens: the value of ``data.tokens`` that its vectors need; None if any will do.
        frozen: whether its vectors are features of positions, which are never trained.
    """

    # Classes are named and not imported, so that the registry does not import every source.
    location: str
    settings: str | None = None
    tokens: str | None = None
    frozen: bool = False

    def load(self) -> VectorSource:
        """Import the source's class and make an instance."""
        made: VectorSource = _imported(self.location)()
        return made

    def load_settings(self) -> type[Section] | None:
        """Import the class of the source's settings; None if it has none."""
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
