"""Pre-trained vectors of one corpus's vocabulary, kept beside it and shared by all its trials.

Shapes: V words of the vocabulary, E numbers a word. Rows of words without a vector are NaN; the
model initialises them (``trainables.networks.embedding``).
"""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.data.corpus import Corpus
from trainables.data.spec import DataSpec
from trainables.data.text.bert import bert_version
from trainables.embeddings.bert import FEATURES, bert_vectors, write_features
from trainables.embeddings.glove import glove_digest, read_glove
from trainables.embeddings.lookup import words_of
from trainables.embeddings.spec import EmbeddingsSpec
from trainables.embeddings.word2vec import read_word2vec, word2vec_digest
from trainables.errors import DataError
from trainables.storage import replace_file

Matrix = NDArray[np.float32] | NDArray[np.float16]


@dataclass(frozen=True)
class Vectors:
    """A prepared file of vectors: its name in the corpus's folder, its width, what it covers.

    Coverage is a share of the vocabulary's words, and of the training text's tokens.
    """

    name: str
    width: int
    words_covered: float
    tokens_covered: float


def prepare_vectors(corpus: Corpus, kind: str, spec: EmbeddingsSpec, data: DataSpec) -> Vectors:
    """Reads or trains the vectors once a corpus; later calls open what is there.

    Raises:
        DataError: the source is missing, malformed, or covers no word.
    """
    digest = _digest(kind, spec, data)
    name = f"{kind}-{hashlib.sha256(digest.encode()).hexdigest()[:16]}.npy"
    about = corpus.vectors_file(name).with_suffix(".json")
    if not about.exists():
        corpus.vectors_file(name).parent.mkdir(exist_ok=True)
        if kind == FEATURES:
            _store_features(corpus, name, data)
        else:
            _store(corpus, name, _read(kind, spec, corpus))
    return Vectors(**json.loads(about.read_text()))


def _digest(kind: str, spec: EmbeddingsSpec, data: DataSpec) -> str:
    """What the vectors of a kind are identified by, beside their corpus."""
    if kind == FEATURES:  # of the texts as they are cut
        return json.dumps([bert_version(), data.max_tokens, data.keep])
    if kind == "bert":
        return bert_version()
    return glove_digest(spec) if kind == "glove" else word2vec_digest(spec)


def _read(kind: str, spec: EmbeddingsSpec, corpus: Corpus) -> Matrix:
    if kind == "bert":
        return bert_vectors(words_of(corpus))
    return read_glove(spec, words_of(corpus)) if kind == "glove" else read_word2vec(spec, corpus)


def _store(corpus: Corpus, name: str, vectors_VE: Matrix) -> None:
    covered_V = ~np.isnan(vectors_VE[:, 0])
    if not covered_V.any():
        raise DataError(f"none of the vocabulary's words has a vector in {name.split('-')[0]}")
    part = corpus.part("train")
    counts_V = np.bincount(part.ids, minlength=len(covered_V))
    vectors = Vectors(
        name,
        int(vectors_VE.shape[1]),
        float(covered_V[2:].mean()),
        float(counts_V[covered_V].sum() / max(1, counts_V.sum())),
    )
    path = corpus.vectors_file(name)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        np.save(file, vectors_VE, allow_pickle=False)
    os.replace(file.name, path)
    _describe(vectors, path)


def _store_features(corpus: Corpus, name: str, data: DataSpec) -> None:
    path = corpus.vectors_file(name)
    path.unlink(missing_ok=True)
    write_features(corpus, words_of(corpus), data, path)
    width = np.load(path, mmap_mode="r", allow_pickle=False).shape[1]
    _describe(Vectors(name, width, 1.0, 1.0), path)


def _describe(vectors: Vectors, path: Path) -> None:
    """Writes what is known of the vectors beside them; with it they are complete."""
    replace_file(path.with_suffix(".json"), json.dumps(vectors.__dict__).encode())


def load_vectors(corpus: Corpus, name: str) -> Matrix:
    """Maps prepared vectors read-only: vectors_VE.

    Raises:
        DataError: the file is gone or damaged.
    """
    try:
        vectors_VE: Matrix = np.load(corpus.vectors_file(name), mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"word vectors {name!r} are damaged: {error}") from error
    return vectors_VE
