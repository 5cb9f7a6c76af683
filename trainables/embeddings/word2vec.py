"""Word2Vec (Mikolov et al. 2013) by gensim: trained on the study's own texts, or read from a file.

Shapes: V words of the vocabulary, E numbers of a vector.
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from tokenizers import Tokenizer

from trainables.data.corpus import Corpus
from trainables.data.spec import Place, Section, whole_path
from trainables.data.tables.unlabelled import find_texts, read_texts
from trainables.data.text.tokens import PAD, UNKNOWN, clean
from trainables.embeddings.base import VectorRequest, WordVectors
from trainables.embeddings.glove import file_digest
from trainables.embeddings.lookup import pick_rows, words_of
from trainables.errors import DataError
from trainables.storage import Cache

#: Value of ``embeddings.word2vec`` for vectors that are trained on the study's own texts.
TRAINED_HERE = "train"

#: Raised when other files of ``embeddings.unlabelled`` are read.
_LISTING = 2

#: How gensim's own files end.
_PICKLES = (".kv", ".model", ".wordvectors")

#: Words, and a table with one row for each word.
Named = tuple[list[str], NDArray[np.float32]]


class Word2VecSettings(Section):
    """Word2Vec's keys of the ``[embeddings]`` table.

    Attributes:
        word2vec: ``train`` for skip-gram on the study's own training texts, run once; or a path to
            a .bin or .vec file, as ``KeyedVectors.save_word2vec_format`` writes them.
        word2vec_dim: numbers of a vector that is trained here.
        unlabelled: more text to learn from: a file like ``data.source``, or a folder of such files
            or of .txt, with labels or without; its test part is left out.
        word2vec_epochs: passes over the texts.
    """

    word2vec: Place = TRAINED_HERE
    word2vec_dim: int = Field(default=100, ge=1, le=2000)
    unlabelled: Place | None = None
    word2vec_epochs: int = Field(default=5, ge=1, le=1000)

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> Self:
        if self.word2vec == TRAINED_HERE:
            return self
        if Path(self.word2vec).suffix in _PICKLES:
            raise ValueError(
                f"{self.word2vec} is a pickle, which may run any code: open it in gensim, and save "
                "its vectors by save_word2vec_format, as .bin or .vec"
            )
        for name in ("word2vec_dim", "unlabelled", "word2vec_epochs"):
            if getattr(self, name) != Word2VecSettings.model_fields[name].default:
                raise ValueError(f'{name} is only for word2vec = "train": take it out')
        return self

    def located(self) -> Self:
        """Return a copy in which every file is an absolute path."""
        source = self.word2vec if self.word2vec == TRAINED_HERE else whole_path(self.word2vec)
        more = whole_path(self.unlabelled) if self.unlabelled else None
        return super().located().model_copy(update={"word2vec": source, "unlabelled": more})


class Word2Vec(WordVectors):
    """Word2Vec's vectors, one for each word."""

    def digest(self, request: VectorRequest) -> str:
        """Return the settings of the training, or the digest of the file.

        Vectors that are trained depend on gensim's version too.
        """
        settings = request.settings(Word2VecSettings)
        try:
            import gensim
        except ImportError as error:
            raise DataError("word2vec needs gensim: pip install 'seqtune[word2vec]'") from error
        if settings.word2vec == TRAINED_HERE:
            numbers = [settings.word2vec_dim, settings.word2vec_epochs]
            more = (
                [find_texts(settings.unlabelled).digest(), _LISTING] if settings.unlabelled else []
            )
            return json.dumps([gensim.__version__, *numbers, *(more or [None])])
        return file_digest(settings.word2vec, "embeddings.word2vec")

    def notes(self, request: VectorRequest) -> tuple[str, ...]:
        """Return which files of more text are read, and which are not."""
        more = request.settings(Word2VecSettings).unlabelled
        return find_texts(more).notes if more else ()

    def read(self, request: VectorRequest) -> NDArray[np.float32]:
        """Return vectors_VE, NaN where a word has no vector."""
        settings, corpus = request.settings(Word2VecSettings), request.corpus
        if settings.word2vec == TRAINED_HERE:
            # gensim was trained on token ids, written as strings.
            wanted = [str(number) for number in range(corpus.vocabulary)]
            names, table = _train(settings, corpus, request.cache)
        else:
            wanted = words_of(corpus)
            names, table = _load(Path(settings.word2vec).expanduser())
        vectors_VE = pick_rows(wanted, names, table)
        vectors_VE[[PAD, UNKNOWN]] = np.nan  # neither is a word
        return vectors_VE


class _Sentences:
    """The training texts and the unlabelled ones, as lists of token ids written as strings.

    gensim reads it several times, so each iteration starts anew.
    """

    def __init__(self, corpus: Corpus, unlabelled: str | None, cache: Cache) -> None:
        self._part = corpus.part("train")
        self._more = _encode(corpus, unlabelled, cache) if unlabelled else []

    def __iter__(self) -> Iterator[list[str]]:
        offsets, ids = self._part.offsets, self._part.ids
        for start, end in pairwise(offsets):
            yield list(map(str, ids[start:end]))
        for text in self._more:
            yield list(map(str, text))


def _encode(corpus: Corpus, source: str, cache: Cache) -> list[NDArray[np.int32]]:
    """Read the texts of another source as token ids of the corpus's own vocabulary."""
    tokenizer = Tokenizer.from_file(str(corpus.tokenizer_file))
    texts = [clean(text) for text in read_texts(source, cache.datasets)]
    encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]


def _train(settings: Word2VecSettings, corpus: Corpus, cache: Cache) -> Named:
    """Train skip-gram with negative sampling and a window of 5.

    A repeated training gives the same vectors.
    """
    from gensim.models import Word2Vec

    model = Word2Vec(
        _Sentences(corpus, settings.unlabelled, cache),
        vector_size=settings.word2vec_dim,
        epochs=settings.word2vec_epochs,
        sg=1,
        window=5,
        min_count=1,  # rare words are outside the vocabulary already
        workers=1,  # with several threads the result depends on their timing
        seed=0,
        hashfxn=int,  # the default, Python's hash of a string, differs between processes
    )
    return model.wv.index_to_key, model.wv.vectors


def _load(path: Path) -> Named:
    from gensim.models import KeyedVectors

    try:
        read = KeyedVectors.load_word2vec_format(str(path), binary=path.suffix == ".bin")
    except (OSError, ValueError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path} holds no Word2Vec vectors: {error}") from error
    return read.index_to_key, read.vectors
