"""BERT's vectors and its features, against what transformers gives."""

import errno
import os
from typing import Any

import numpy as np
import pytest
import torch

from tests.builders import make_assignment, vector_request
from trainables.attempts.attempt import begin, next_epochs
from trainables.core.task import TaskContext
from trainables.core.trainer import Trainer, TrainerSettings
from trainables.data.corpus import prepare
from trainables.data.spec import DataSpec
from trainables.data.text.bert import bert_folder, bert_pieces
from trainables.data.text.reader import TextReader
from trainables.embeddings import bert
from trainables.embeddings.bert import positions
from trainables.embeddings.lookup import words_of
from trainables.embeddings.spec import EmbeddingsSpec
from trainables.embeddings.vectors import load_vectors, prepare_vectors
from trainables.errors import DataError
from trainables.networks.embedding import FrozenRows
from trainables.networks.hyperparameters import RecurrentClassifierHyperparameters
from trainables.storage import Cache
from trainables.tasks.declaration import TrialInputs
from trainables.tasks.registry import TASKS


def prepared(source, tmp_path, kind, **choices):
    data = DataSpec(source=str(source), tokens="bert", **choices)
    corpus = prepare(data, Cache(tmp_path / "cache"))
    vectors = prepare_vectors(kind, vector_request(corpus, EmbeddingsSpec(), data))
    assert (vectors.width, vectors.words_covered, vectors.tokens_covered) == (384, 1.0, 1.0)
    return corpus, load_vectors(corpus, vectors.name)


def test_berts_table_of_word_pieces(reviews, tmp_path):
    """Every piece has its vector; close words are close."""
    corpus, vectors_VE = prepared(reviews, tmp_path, "bert")

    def cosine(one, other):
        a, b = (vectors_VE[words_of(corpus).index(word)] for word in (one, other))
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    assert cosine("boring", "dull") > cosine("boring", "france") + 0.1


@pytest.mark.slow
@pytest.mark.parametrize("keep", ["start", "end"])
def test_features_are_what_the_model_makes_of_each_cut_text(tmp_path, keep):
    """Texts of many lengths, one of them longer than the model's own window; one without tokens."""
    from transformers import AutoModel

    path = tmp_path / "x.csv"
    texts = ["great film " * n + str(n) for n in (1, 3, 50, 400)] * 6 + ["<br />"] * 3
    rows = "".join(f"{text} {i},{i % 2}\n" for i, text in enumerate(texts))
    path.write_text("text,label\n" + rows)
    corpus, features_ME = prepared(path, tmp_path, "bert-features", max_tokens=600, keep=keep)
    model = AutoModel.from_pretrained(bert_folder()).eval()
    berts = {piece: number for number, piece in enumerate(bert_pieces())}
    words = words_of(corpus)
    for name in ("train", "validation"):
        part, place = corpus.part(name), positions(corpus, name, 600)
        reader = TextReader(place, 600, keep)
        assert (reader.lengths_N <= 600).all()
        for text in range(len(part)):
            ids = part.ids[part.offsets[text] : part.offsets[text + 1]]
            ids = (ids[:600] if keep == "start" else ids[-600:])[:510]
            own = [berts[words[i]] for i in ids]
            whole = torch.tensor([[berts["[CLS]"], *own, berts["[SEP]"]]])
            with torch.inference_mode():
                expected = model(whole).last_hidden_state[0, 1:-1].numpy()
            read = reader.read(np.array([text])).inputs[0][0].numpy()
            np.testing.assert_allclose(features_ME[read][: len(ids)], expected, atol=5e-3)
    assert (features_ME[:2] == 0).all() and np.isfinite(features_ME).all()


class Quick:
    """In the place of the model: it looks at the file that its features go to."""

    width = 500
    reserved: list[bool]

    def __init__(self, words):
        Quick.reserved = []

    def fill(self, features_ME, texts):
        status = os.stat(features_ME.filename)
        Quick.reserved.append(status.st_blocks * 512 >= status.st_size)


def test_features_are_written_into_reserved_room_and_others_may_read_them(
    reviews, tmp_path, monkeypatch
):
    """Where the disk fills up a write into a hole of a mapped file ends the process."""
    monkeypatch.setattr(bert, "Bert", Quick)
    data = DataSpec(source=str(reviews))
    corpus = prepare(data, Cache(tmp_path / "cache"))
    path = tmp_path / "features.npy"
    bert.write_features(corpus, [], data, path)
    assert Quick.reserved == [True, True] and path.stat().st_size > 500_000
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask()
    assert not list(tmp_path.glob("computing-*"))
    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with pytest.raises(DataError, match="no room for 0 MB"):
        bert.write_features(corpus, [], data, tmp_path / "more.npy")
    assert not list(tmp_path.glob("computing-*"))


def umask() -> int:
    now = os.umask(0o022)
    os.umask(now)
    return now


def no_room(*given):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.lengthy
def test_a_trial_reads_what_was_computed_once(reviews, tmp_path):
    corpus, _ = prepared(reviews, tmp_path, "bert-features", max_tokens=16)
    data = DataSpec(source=str(reviews), tokens="bert", max_tokens=16)
    (stored,) = (corpus.path / "vectors").glob("*.npy")
    stamp = stored.stat().st_mtime_ns
    vectors = prepare_vectors("bert-features", vector_request(corpus, EmbeddingsSpec(), data))
    assert stored.stat().st_mtime_ns == stamp
    chosen = {"embedding": "bert-features", "embedding_dim": vectors.width, "hidden_size": 4}
    settings = {"max_tokens": 16, "keep": "end", "vectors": vectors.name}
    inputs = TrialInputs(settings=settings)
    assignment = make_assignment(
        corpus.path, tmp_path, hyperparameters=chosen, max_epochs=1, inputs=inputs
    )
    attempt = begin(assignment, corpus.path)
    assert isinstance(attempt.trainer.model.embedding, FrozenRows)
    expected = positions(corpus, "train", 16).ids
    assert isinstance(attempt.trainer.train, TextReader)
    np.testing.assert_array_equal(attempt.trainer.train.part.ids, expected)
    assert next_epochs(attempt, 0.0)[0].metrics["val/loss"] is not None


@pytest.mark.lengthy
def test_a_recurrent_network_learns_over_features(reviews, tmp_path):
    """Nothing of them is stored with the model, and all the noise works on positions."""
    corpus, features_ME = prepared(reviews, tmp_path, "bert-features", max_tokens=16)
    names = ("word_dropout", "embedding_dropout", "token_drop", "token_swap")
    noise: dict[str, Any] = dict.fromkeys(names, 0.1)
    h = RecurrentClassifierHyperparameters(
        embedding="bert-features", embedding_dim=384, hidden_size=8, pooling="mean", **noise
    )
    train, validation = (
        TextReader(positions(corpus, name, 16), 16, "end") for name in ("train", "validation")
    )
    ends = TaskContext(corpus.vocabulary, corpus.classes, train.part.labels, features_ME)
    task = TASKS["text-classification"].load()(h, ends)
    trainer = Trainer(task, h, train, TrainerSettings(0, 20))
    for _ in range(20):
        trainer.train_epoch()
    assert trainer.evaluate(validation)["accuracy"] > 0.9
    trainer.save(tmp_path / "x.safetensors")
    assert (tmp_path / "x.safetensors").stat().st_size < 1_000_000
