"""Ranks, as scipy has them."""

import numpy as np
from scipy.stats import rankdata

from search.policy.surrogate.ranking import mid_ranks


def test_ranks_are_scipys():
    rng = np.random.default_rng(0)
    for size in range(1, 30):
        values = rng.integers(0, 6, size).astype(float)
        values[rng.random(size) < 0.1] = np.inf
        assert mid_ranks(values).tolist() == rankdata(values).tolist()
