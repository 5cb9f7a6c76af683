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
from trainables.data.tokens import clean
from trainables.embeddings.glove import file_digest
from trainables.embeddings.spec import EmbeddingsSpec
from trainables.errors import DataError

TRAIN = "train"


def word2vec_digest(spec: EmbeddingsSpec) -> str:
    """What these vectors are identified by, beside their corpus.

    Raises:
        DataError: gensim is missing, or the file is.
    """
    try:
        import gensim
    except ImportError as error:
        raise DataError("word2vec needs gensim: pip install 'seqtune[word2vec]'") from error
    if spec.word2vec == TRAIN:
        more = find_source(spec.unlabelled).digest() if spec.unlabelled else None
        return json.dumps([gensim.__version__, spec.word2vec_dim, spec.word2vec_epochs, more])
    return file_digest(spec.word2vec, "embeddings.word2vec")


def read_word2vec(spec: EmbeddingsSpec, corpus: Corpus) -> NDArray[np.float32]:
    """vectors_VE of the corpus's vocabulary, NaN where there is none.

    Raises:
        DataError: the file is malformed.
    """
    vocabulary = Tokenizer.from_file(str(corpus.tokenizer_file)).get_vocab()
    if spec.word2vec == TRAIN:
        names = {str(number): number for number in range(len(vocabulary))}
        return _rows(_train(spec, corpus), names)
    return _rows(_load(Path(spec.word2vec).expanduser()), vocabulary)


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


def _train(spec: EmbeddingsSpec, corpus: Corpus) -> object:
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
    return model.wv


def _load(path: Path) -> object:
    if path.suffix == ".kv":
        raise DataError(f"{path} is a pickle and is not loaded: save it in word2vec format (.vec)")
    from gensim.models import KeyedVectors

    try:
        return KeyedVectors.load_word2vec_format(str(path), binary=path.suffix == ".bin")
    except (OSError, ValueError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path} holds no Word2Vec vectors: {error}") from error


def _rows(vectors: object, index_of: dict[str, int]) -> NDArray[np.float32]:
    from gensim.models import KeyedVectors

    assert isinstance(vectors, KeyedVectors)
    result = np.full((len(index_of), vectors.vector_size), np.nan, dtype=np.float32)
    for word, index in index_of.items():
        if index >= 2 and word in vectors.key_to_index:
            result[index] = vectors[word]
    return result
