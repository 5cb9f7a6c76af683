"""The inputs of the text tasks: tokenised texts with labels, and word vectors for them.

It imports no torch before a trial opens its data.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from trainables.core.hyperparameters import Hyperparameters
from trainables.core.memory import DataShape
from trainables.data.corpus import Corpus, open_corpus, prepare
from trainables.data.hub import is_hub_name
from trainables.data.joined import join_parts
from trainables.data.part import ARRAYS, Part
from trainables.data.spec import PACKAGED, DataSpec, Section
from trainables.data.tables.table import Labels
from trainables.embeddings.base import VectorRequest
from trainables.embeddings.sources import SCRATCH, SOURCES
from trainables.embeddings.spec import EmbeddingsSpec
from trainables.embeddings.vectors import Vectors, load_vectors, prepare_vectors
from trainables.storage import Cache
from trainables.tasks.declaration import (
    Inputs,
    OpenedInputs,
    Options,
    PreparedInputs,
    TrialInputs,
)

if TYPE_CHECKING:
    import torch

#: Files of a corpus that a trial reads; the test part is not among them.
_SHIPPED = (
    "corpus.json",
    "tokenizer.json",
    *(f"{part}/{array}.npy" for part in ("train", "validation") for array in ARRAYS),
)


@dataclass(frozen=True)
class PreparedTexts(PreparedInputs):
    """A prepared corpus with its word vectors.

    Attributes:
        data: the ``[data]`` table, which says how texts are cut.
        vectors: the vectors that trials may start from, by source.
    """

    data: DataSpec = field(kw_only=True)
    vectors: Mapping[str, Vectors] = field(kw_only=True)

    def complete(self, configuration: dict[str, Any]) -> dict[str, Any]:
        """Set the embedding's width to the width of its vectors, if it has any."""
        found = self.vectors.get(str(configuration.get("embedding")))
        return configuration | ({"embedding_dim": found.width} if found else {})

    def of_trial(self, configuration: dict[str, Any]) -> TrialInputs:
        """Return the settings by which texts are cut, and the file of the trial's vectors."""
        found = self.vectors.get(str(configuration.get("embedding")))
        cut = {"max_tokens": self.data.max_tokens, "keep": self.data.keep}
        if found is None:
            return TrialInputs(settings=cut)
        return TrialInputs(settings=cut | {"vectors": found.name}, files=(_vectors_file(found),))

    def with_validation(self, cache: Cache) -> "PreparedTexts":
        """Return these texts with those of validation in the training part, to train a chosen
        model once more.

        Raises:
            DataError: the cache cannot be written.
        """
        corpus = open_corpus(self.folder)
        # Features are of the texts in their places, which move.
        of_places = [kind for kind in self.vectors if SOURCES[kind].frozen]
        of_words = [found.name for kind, found in self.vectors.items() if kind not in of_places]
        joined = join_parts(corpus, cache, self.data.overlap == "keep", of_words)
        request = VectorRequest(joined, self.data, EmbeddingsSpec(), cache)
        found = {kind: prepare_vectors(kind, request) for kind in of_places}
        count = joined.sizes["train"]
        return replace(
            self,
            folder=joined.path,
            summary=f"{count:,} texts, those of the validation part among them",
            examples=count,
            vectors={**self.vectors, **found},
        )

    def training_steps(self) -> int:
        """Count the tokens of the training texts after they are cut."""
        part = open_corpus(self.folder).part("train")
        # A text without tokens is read as one padding token, so each text counts one at least.
        return int(part.lengths.clip(1, self.data.max_tokens).sum())

    def preview(self) -> tuple[str, ...]:
        """Return the classes, the lengths, and three rows as a network reads them."""
        from trainables.data.preview import preview

        return preview(open_corpus(self.folder), self.data.max_tokens, self.data.keep).lines

    def shipped_files(self) -> tuple[str, ...]:
        """List the files of the train and validation parts, and of all vectors."""
        return (*_SHIPPED, *sorted(_vectors_file(vectors) for vectors in self.vectors.values()))


def _vectors_file(vectors: Vectors) -> str:
    return f"vectors/{vectors.name}"


class TextInputs(Inputs):
    """Texts with one label each: one of a closed set (``class``), or a number to predict."""

    sections: ClassVar[Mapping[str, type[Section]]] = {
        "data": DataSpec,
        "embeddings": EmbeddingsSpec,
    }

    def __init__(self, labels: Labels) -> None:
        self.labels = labels

    def check(self, tables: Mapping[str, dict[str, Any]], options: Options) -> str | None:
        """Refuse vectors that need other tokens, and settings of vectors that no trial has."""
        sections, used = self.parse(tables), _pretrained(options)
        data = cast(DataSpec, sections["data"])
        if self.labels == "class" and (data.thousands or data.decimal != "."):
            return "data.thousands and data.decimal have no effect: classes are names, not numbers"
        tokens = data.tokens
        for kind in SOURCES.keys() - set(used):
            for name in _chosen_settings(kind, sections["embeddings"]):
                return f'embeddings.{name} has no effect: no trial has embedding = "{kind}"'
        for kind in used:
            needed = SOURCES[kind].tokens
            if needed not in (None, tokens):
                return (
                    f'embedding = "{kind}" needs its own word pieces: '
                    f'write data.tokens = "{needed}"'
                )
        return None

    def prepare(
        self, tables: Mapping[str, dict[str, Any]], options: Options, cache: Cache
    ) -> PreparedTexts:
        """Tokenise the texts, and prepare every source of vectors that some trial may start from.

        Raises:
            DataError: the texts or a source of vectors cannot be used.
        """
        parsed = self.parse(tables)
        data = cast(DataSpec, parsed["data"])
        corpus = prepare(data, cache, self.labels)
        request = VectorRequest(corpus, data, parsed["embeddings"], cache)
        vectors = {kind: prepare_vectors(kind, request) for kind in _pretrained(options)}
        return PreparedTexts(
            folder=corpus.path,
            shape=_shape(corpus, data.max_tokens),
            summary=_summary(corpus),
            notes=(*corpus.notes, *_unpinned(data), *_coverage(vectors)),
            digests={kind: found.name for kind, found in vectors.items()},
            examples=corpus.sizes["train"],
            data=data,
            vectors=vectors,
        )

    def open(
        self,
        folder: Path,
        inputs: TrialInputs,
        hyperparameters: Hyperparameters,
        device: "torch.device",
    ) -> OpenedInputs:
        """Map the train and validation parts; a GPU with room for them holds a copy."""
        # Imported here, because the search loads this file without torch.
        from trainables.core.task import TaskContext
        from trainables.data.text.reader import TextReader

        corpus, settings = open_corpus(folder), inputs.settings
        name, cut = settings.get("vectors"), settings["max_tokens"]
        vectors = load_vectors(corpus, name) if name else None
        frozen = SOURCES[getattr(hyperparameters, "embedding", "")].frozen if name else False
        train, validation = (
            TextReader(_part(corpus, part, cut, frozen), cut, settings["keep"]).placed(device)
            for part in ("train", "validation")
        )
        context = TaskContext(corpus.vocabulary, corpus.classes, train.part.labels, vectors)
        return OpenedInputs(train, validation, context)


def _part(corpus: Corpus, name: str, max_tokens: int, frozen: bool) -> Part:
    """Return a part whose ids are tokens or, for frozen features, row numbers of the features."""
    from trainables.embeddings.bert import positions

    return positions(corpus, name, max_tokens) if frozen else corpus.part(name)


def _chosen_settings(kind: str, embeddings: Section) -> list[str]:
    """List the keys of a source of vectors that differ from their defaults."""
    settings = SOURCES[kind].load_settings()
    fields = settings.model_fields if settings else {}
    return [name for name, one in fields.items() if getattr(embeddings, name) != one.default]


def _pretrained(options: Options) -> list[str]:
    """List the sources of vectors that some trial may start from."""
    kinds: Iterable[Any] = options.get("embedding", (SCRATCH,))
    return sorted(str(kind) for kind in kinds if kind != SCRATCH)


def _shape(corpus: Corpus, max_tokens: int) -> DataShape:
    """Return the sizes that memory depends on; texts may be shorter than they are allowed to be."""
    parts = [corpus.part(name) for name in ("train", "validation")]
    longest = max(int(part.lengths.max(initial=1)) for part in parts)
    outputs = max(1, len(corpus.classes))
    return DataShape(corpus.vocabulary, outputs, min(longest, max_tokens), len(parts[1]))


def _summary(corpus: Corpus) -> str:
    sizes = ", ".join(f"{count:,} {part}" for part, count in corpus.sizes.items())
    classes = f" of {len(corpus.classes)} classes" if corpus.classes else ""
    unknown = f"{corpus.unknown:.1%} of the validation tokens unknown"
    return f"{sizes} texts{classes}, {corpus.vocabulary:,} words, {unknown}"


def _unpinned(data: DataSpec) -> list[str]:
    if data.revision is not None or data.source in PACKAGED or not is_hub_name(data.source):
        return []
    return [
        f"the hub could not be asked for the revision of {data.source!r}: what its cache holds was "
        "read, and another revision would go unnoticed"
    ]


def _coverage(vectors: Mapping[str, Vectors]) -> list[str]:
    return [
        f"{kind}: {v.width} numbers a word; {v.words_covered:.1%} of the vocabulary and "
        f"{v.tokens_covered:.1%} of the training tokens have a vector"
        for kind, v in vectors.items()
    ] + [note for v in vectors.values() for note in v.notes]
