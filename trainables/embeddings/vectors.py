"""Pretrained vectors of one corpus, stored beside it and shared by all its trials.

The row of a word without a vector is NaN. The model draws it at random
(``trainables.networks.embedding``).

Shapes: V words of the vocabulary, M positions of the corpus, E numbers of a vector.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainables.data.corpus import Corpus
from trainables.embeddings.base import Matrix, VectorRequest
from trainables.embeddings.sources import SOURCES
from trainables.errors import DataError
from trainables.storage import replace_file


@dataclass(frozen=True)
class Vectors:
    """A prepared file of vectors.

    Attributes:
        name: the file's name in the corpus's folder of vectors.
        width: numbers of each vector.
        words_covered: share of the vocabulary's words that have a vector.
        tokens_covered: share of the training texts' tokens that have a vector.
        notes: what a person should know of where they come from, as it is now.
    """

    name: str
    width: int
    words_covered: float
    tokens_covered: float
    notes: tuple[str, ...] = ()


def prepare_vectors(kind: str, request: VectorRequest) -> Vectors:
    """Prepare the vectors of a source for a corpus once; later calls only describe them.

    Raises:
        DataError: the source is missing, malformed, or covers no word; or another user of the
            cache has made the file and lets nobody read it.
    """
    source, corpus = SOURCES[kind].load(), request.corpus
    digest = hashlib.sha256(source.digest(request).encode()).hexdigest()
    path = corpus.vectors_file(f"{kind}-{digest[:16]}.npy")
    about = path.with_suffix(".json")
    if not about.exists():  # it is written after the vectors, so they are whole if it exists
        path.parent.mkdir(exist_ok=True)
        source.write(request, path)
        replace_file(about, json.dumps(_describe(corpus, path).__dict__).encode())
    if not os.access(path, os.R_OK):  # every trial would fail of it
        raise DataError(
            f"word vectors {path} are gone, or not this user's to read: remove {about}, and they "
            "are made anew, or name another folder by SEQTUNE_CACHE"
        )
    described = json.loads(about.read_text(encoding="utf-8"))
    return Vectors(**described | {"notes": source.notes(request)})


def _describe(corpus: Corpus, path: Path) -> Vectors:
    """Describe a file of vectors: its width, and the shares of words and tokens that it covers."""
    matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    width = int(matrix.shape[1])
    if matrix.dtype == np.float16:  # features of positions cover every token
        return Vectors(path.name, width, 1.0, 1.0)
    covered_V = ~np.isnan(matrix[:, 0])
    counts_V = np.bincount(corpus.part("train").ids, minlength=len(covered_V))
    return Vectors(
        path.name,
        width,
        float(covered_V[2:].mean()),  # ids 0 and 1 are padding and the unknown token, not words
        float(counts_V[covered_V].sum() / max(1, counts_V.sum())),
    )


def load_vectors(corpus: Corpus, name: str) -> Matrix:
    """Map prepared vectors read-only.

    Raises:
        DataError: the file is gone or damaged.
    """
    try:
        matrix: Matrix = np.load(corpus.vectors_file(name), mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"word vectors {name!r} are damaged: {error}") from error
    return matrix
