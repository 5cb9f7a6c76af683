from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import make_part, make_trainer
from trainables.core.batching import micro_batches, shuffled_batches
from trainables.data.part import Part
from trainables.data.text.reader import DeviceTexts, TextReader
from trainables.networks.hyperparameters import RecurrentClassifierHyperparameters

LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=200)


@given(LENGTHS, st.integers(1, 64), st.integers(0, 1000))
def test_every_text_is_seen_once(lengths, batch_size, seed):
    batches = shuffled_batches(np.array(lengths), batch_size, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert sum(len(batch) != batch_size for batch in batches) <= 1


@given(LENGTHS, st.integers(1, 500), st.one_of(st.none(), st.integers(1, 20)))
def test_micro_batches_are_bounded(lengths, max_tokens, max_texts):
    lengths_N = np.array(lengths)
    parts = list(micro_batches(np.arange(len(lengths)), lengths_N, max_tokens, max_texts))
    assert sorted(np.concatenate(parts)) == list(range(len(lengths)))
    for rows in parts:
        assert max_texts is None or len(rows) <= max_texts
        assert len(rows) == 1 or lengths_N[rows].max() * len(rows) <= max_tokens


@pytest.mark.parametrize(("keep", "expected"), [("start", [5, 6]), ("end", [7, 8])])
def test_long_text_is_cut_and_empty_text_survives(keep, expected):
    part = Part(np.array([5, 6, 7, 8], np.int32), np.array([0, 4, 4]), np.array([1, 0]))
    batch = TextReader(part, 2, keep).read(np.array([0, 1]))
    assert batch.inputs[0].tolist() == [expected, [0, 0]]
    assert batch.inputs[1].tolist() == [2, 1]
    assert batch.targets_B.tolist() == [1, 0]


@pytest.mark.parametrize("keep", ["start", "end"])
@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.data())
def test_texts_put_together_on_a_device_are_the_same(keep, lengths, data):
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = np.arange(5, 5 + offsets[-1], dtype=np.int32)
    part = Part(ids, offsets, np.arange(len(lengths), dtype=np.int64))
    reader = TextReader(part, 4, keep)
    held = replace(reader, held=DeviceTexts.of(part, torch.device("cpu")))
    rows = np.array(data.draw(st.permutations(range(len(lengths)))))[:7]
    ours, theirs = held.read(rows), reader.read(rows)
    pairs = zip((*ours.inputs, ours.targets_B), (*theirs.inputs, theirs.targets_B), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    h = RecurrentClassifierHyperparameters(token_crop=0.5, token_drop=0.3, token_swap=0.5)
    edited = [
        one.for_training(h, np.random.default_rng(0)).read(rows).inputs for one in (held, reader)
    ]
    assert all(torch.equal(one, other) for one, other in zip(*edited, strict=True))


def test_accumulated_gradient_is_the_whole_batchs():
    """One step in micro-batches of a few tokens moves the weights as one whole batch does."""
    weights = []
    for tokens in (10_000, 20):
        trainer = make_trainer(part=make_part(), batch_size=40, clip_norm=0.5, optimizer="sgd")
        trainer.micro_batch_steps = tokens
        trainer.train_epoch()
        weights.append(trainer.model.state_dict())
    for name, tensor in weights[0].items():
        np.testing.assert_allclose(weights[1][name], tensor, rtol=1e-4, atol=1e-6, err_msg=name)
