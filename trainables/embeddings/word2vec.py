"""Word2Vec (Mikolov et al. 2013), with gensim: trained on the study's texts, or loaded."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from trainables.data.corpus import Corpus
from trainables.data.sources import find_source, read_texts
from trainables.data.text.tokens import PAD, UNKNOWN, clean
from trainables.embeddings.glove import file_digest
from trainables.embeddings.keyed_vectors import arrays_beside, read_keyed_vectors
from trainables.embeddings.lookup import pick_rows, words_of
from trainables.embeddings.spec import TRAINED_HERE, EmbeddingsSpec
from trainables.errors import DataError

#: Words, and a table with a row for each.
Named = tuple[list[str], NDArray[np.float32]]


def word2vec_digest(spec: EmbeddingsSpec) -> str:
    """What these vectors are identified by, beside their corpus.

    Raises:
        DataError: gensim is missing, or the file is.
    """
    try:
        import gensim
    except ImportError as error:
        raise DataError("word2vec needs gensim: pip install 'seqtune[word2vec]'") from error
    if spec.word2vec == TRAINED_HERE:
        more = find_source(spec.unlabelled).digest() if spec.unlabelled else None
        return json.dumps([gensim.__version__, spec.word2vec_dim, spec.word2vec_epochs, more])
    digest = file_digest(spec.word2vec, "embeddings.word2vec")
    beside = arrays_beside(Path(spec.word2vec).expanduser())
    return digest + file_digest(str(beside), "embeddings.word2vec") if beside.exists() else digest


def read_word2vec(spec: EmbeddingsSpec, corpus: Corpus) -> NDArray[np.float32]:
    """vectors_VE of the corpus's vocabulary, NaN where there is none.

    Raises:
        DataError: the file is malformed.
    """
    if spec.word2vec == TRAINED_HERE:
        wanted = [str(number) for number in range(corpus.vocabulary)]
        names, table = _train(spec, corpus)
    else:
        wanted = words_of(corpus)
        names, table = _load(Path(spec.word2vec).expanduser())
    vectors_VE = pick_rows(wanted, names, table)
    vectors_VE[[PAD, UNKNOWN]] = np.nan
    return vectors_VE


class _Sentences:
    """The training texts, and more without labels, as lists of token numbers; read anew for each
    pass."""

    def __init__(self, corpus: Corpus, unlabelled: str | None) -> None:
        self._part = corpus.part("train")
        self._more = _encode(corpus, unlabelled) if unlabelled else []

    def __iter__(self) -> Iterator[list[str]]:
        offsets, ids = self._part.offsets, self._part.ids
        for start, end in pairwise(offsets):
            yield list(map(str, ids[start:end]))
        for text in self._more:
            yield list(map(str, text))


def _encode(corpus: Corpus, source: str) -> list[NDArray[np.int32]]:
    """Texts of another file in the corpus's own tokens."""
    tokenizer = Tokenizer.from_file(str(corpus.tokenizer_file))
    texts = [clean(text) for text in read_texts(source, corpus.path.parent.parent / "datasets")]
    encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]


def _train(spec: EmbeddingsSpec, corpus: Corpus) -> Named:
    """Skip-gram with negative sampling, window 5; one thread, so that it repeats."""
    from gensim.models import Word2Vec

    model = Word2Vec(
        _Sentences(corpus, spec.unlabelled),
        vector_size=spec.word2vec_dim,
        epochs=spec.word2vec_epochs,
        sg=1,
        window=5,
        min_count=1,
        workers=1,
        seed=0,
        hashfxn=int,
    )
    return model.wv.index_to_key, model.wv.vectors


def _load(path: Path) -> Named:
    if path.suffix == ".kv":
        return read_keyed_vectors(path)
    from gensim.models import KeyedVectors

    try:
        read = KeyedVectors.load_word2vec_format(str(path), binary=path.suffix == ".bin")
    except (OSError, ValueError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path} holds no Word2Vec vectors: {error}") from error
    return read.index_to_key, read.vectors
