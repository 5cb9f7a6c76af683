"""Edits of training texts, a batch at a time."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.data.text.edits import Edits, cut, drop, swap
from trainables.data.text.tokens import PAD
from trainables.networks.hyperparameters import RecurrentClassifierHyperparameters

CPU, META = torch.device("cpu"), torch.device("meta")
SHARES = st.floats(0, 0.9)
TEXTS = st.lists(st.lists(st.integers(2, 99), max_size=30), min_size=1, max_size=6)


def padded(texts):
    width = max(1, *(len(text) for text in texts))
    ids_BT = torch.tensor([text + [PAD] * (width - len(text)) for text in texts])
    return ids_BT, torch.tensor([max(1, len(text)) for text in texts])


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@given(TEXTS, SHARES, st.floats(0, 1), st.integers(0, 99))
def test_never_longer_never_foreign_and_repeatable(texts, dropped, swapped, seed):
    h = RecurrentClassifierHyperparameters(token_drop=dropped, token_swap=swapped)
    given_BT, lengths_B = padded(texts)
    found = []
    for _ in range(2):
        edits = Edits(h, np.random.default_rng(seed), seeded(seed))
        ids_BT, new_lengths_B = edits.apply(given_BT.clone(), lengths_B)
        found.append((ids_BT, new_lengths_B))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    assert ids_BT.shape[1] == max(1, int(new_lengths_B.max()))
    for text, row, length in zip(texts, ids_BT.tolist(), new_lengths_B.tolist(), strict=True):
        assert not Counter(row[:length]) - Counter(text or [PAD])
        assert length >= 1 and set(row[length:]) <= {PAD}


@given(st.lists(st.integers(0, 50), min_size=1, max_size=9), SHARES, st.integers(0, 99))
def test_a_cut_text_is_a_part_of_itself(lengths, share, seed):
    ends = np.cumsum(lengths)
    starts = ends - lengths
    new_starts, new_ends = cut(starts, ends, share, np.random.default_rng(seed))
    assert (starts <= new_starts).all() and (new_ends <= ends).all()
    left = new_ends - new_starts
    assert (left >= np.ceil((ends - starts) * (1 - share) - 1e-9)).all()
    assert ((left > 0) == (ends > starts)).all()


def test_each_does_what_it_says():
    ids_BT, lengths_B = torch.arange(2, 1002)[None], torch.tensor([1000])
    swapped_BT = swap(ids_BT, lengths_B, 0.2, seeded(0))
    assert sorted(swapped_BT[0].tolist()) == ids_BT[0].tolist()
    assert (swapped_BT != ids_BT).sum() == 200
    dropped_BT, left_B = drop(ids_BT, lengths_B, 0.2, seeded(0))
    assert 700 < int(left_B) < 900 and dropped_BT.shape == (1, int(left_B))
    assert (dropped_BT.diff() > 0).all()
    zeros, ends = np.zeros(500, np.int64), np.full(500, 100)
    starts, ends = cut(zeros, ends, 0.5, np.random.default_rng(0))
    assert set(ends - starts) == set(range(50, 101)), "every number of tokens is likely"
    assert starts.max() > 40 and (starts == 0).any()


def test_neighbours_in_a_batch_change_nothing_that_they_should_not():
    ids_BT, lengths_B = padded([[5] * 30, [7] * 3, []])
    for edited_BT in (
        drop(ids_BT, lengths_B, 0.5, seeded(1))[0],
        swap(ids_BT, lengths_B, 1.0, None),
    ):
        assert [set(row.tolist()) - {PAD} for row in edited_BT] == [{5}, {7}, set()]


@pytest.mark.parametrize("edit", [drop, swap])
def test_on_a_device_they_never_wait_for_the_host(edit):
    """Tensors of this device have no values, so whatever asked for one would raise."""
    ids_BT = torch.zeros(4, 9, dtype=torch.int64, device=META)
    lengths_B = torch.ones(4, dtype=torch.int64, device=META)
    found = edit(ids_BT, lengths_B, 0.3, None)
    assert (found[0] if edit is drop else found).shape == (4, 9)
