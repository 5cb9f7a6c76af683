from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainables.data.text.augmentation import Augmentation

SHARES = st.floats(0, 0.9)
IDS = st.lists(st.integers(2, 99), max_size=60)


@given(IDS, SHARES, SHARES, SHARES, st.integers(0, 99))
def test_never_longer_never_foreign_and_repeatable(ids, crop, drop, swap, seed):
    text = np.array(ids, dtype=np.int32)
    change = Augmentation(crop, drop, swap)
    changed = change.apply(text, np.random.default_rng(seed))
    assert not Counter(changed.tolist()) - Counter(ids)
    assert (len(changed) > 0) == (len(ids) > 0)
    assert text.tolist() == ids, "the corpus itself is never changed"
    assert changed.tolist() == change.apply(text, np.random.default_rng(seed)).tolist()


def test_each_does_what_it_says():
    text, rng = np.arange(2, 1002, dtype=np.int32), np.random.default_rng(0)
    swapped = Augmentation(swap=0.2).apply(text, rng)
    assert sorted(swapped) == list(text) and (swapped != text).sum() == 200
    dropped = Augmentation(drop=0.2).apply(text, rng)
    assert 700 < len(dropped) < 900 and (np.diff(dropped) > 0).all()
    windows = [Augmentation(crop=0.5).apply(text, rng) for _ in range(50)]
    assert all((np.diff(window) == 1).all() and len(window) >= 500 for window in windows)
    assert len({len(window) for window in windows}) > 30
    assert not Augmentation()
