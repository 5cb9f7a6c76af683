"""What every source of word vectors must hold to; inherit it and say which source."""

import numpy as np
import pytest

from tests.builders import vector_request
from trainables.data.corpus import prepare
from trainables.data.spec import DataSpec
from trainables.embeddings.base import VectorRequest
from trainables.embeddings.sources import SourceEntry
from trainables.embeddings.spec import EmbeddingsSpec
from trainables.storage import Cache


class VectorSourceContract:
    """Needs a fixture ``entry``. Shapes: V words, M positions, E numbers each."""

    #: Keys of the ``[embeddings]`` table that keep it quick.
    settings: dict[str, object] = {}

    @pytest.fixture
    def request_(self, entry: SourceEntry, reviews, tmp_path) -> VectorRequest:
        kind = {"tokens": entry.tokens} if entry.tokens else {"vocabulary": 60}
        data = DataSpec(source=str(reviews), **kind)
        corpus = prepare(data, Cache(tmp_path / "cache"))
        return vector_request(corpus, EmbeddingsSpec(**self.settings), data)

    @pytest.fixture
    def matrix(self, entry, request_, tmp_path):
        path = tmp_path / "vectors.npy"
        entry.load().write(request_, path)
        return np.load(path, allow_pickle=False)

    def test_its_digest_repeats(self, entry, request_):
        assert entry.load().digest(request_) == entry.load().digest(request_)

    def test_a_row_for_every_word_or_position(self, entry, request_, matrix):
        corpus = request_.corpus
        if entry.frozen:
            read = sum(
                int(corpus.part(part).lengths.clip(0, request_.data.max_tokens).sum())
                for part in ("train", "validation")
            )
            assert matrix.dtype == np.float16 and len(matrix) == read + 2
            assert not matrix[:2].any(), "padding and the unknown token are rows of zeros"
        else:
            assert matrix.dtype == np.float32 and len(matrix) == corpus.vocabulary

    def test_words_are_covered_and_numbers_finite(self, entry, matrix):
        rows = matrix[2:] if entry.frozen else matrix
        missing = np.isnan(rows).any(axis=1)
        assert not missing.all() and np.isfinite(rows[~missing]).all()
        assert (np.isnan(rows[missing]).all(axis=1)).all(), "a word has a whole vector or none"

    def test_nothing_half_written_is_left(self, matrix, tmp_path):
        assert [path.name for path in tmp_path.glob("*.npy")] == ["vectors.npy"]
