"""Training and validation texts as one part."""

import json

import numpy as np
import pytest

from trainables.data.corpus import Corpus, open_corpus, prepare
from trainables.data.joined import join_parts
from trainables.data.part import fingerprint, fingerprints
from trainables.data.spec import DataSpec
from trainables.storage import Cache


def write(path, texts):
    rows = [{"text": text, "label": "ab"[number % 2]} for number, text in enumerate(texts)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def corpus(tmp_path):
    """A corpus whose source brings a test part, a tenth of which stands in what is split too."""
    folder = tmp_path / "texts"
    folder.mkdir()
    words = [f"word{n}" for n in range(60)]
    write(folder / "train.jsonl", [f"a {word} of {word}s" for word in words])
    tests = [f"other {word} here" for word in words[:57]]
    write(folder / "test.jsonl", tests + [f"a {word} of {word}s" for word in words[::20]])
    spec = DataSpec(source=str(folder), max_tokens=8)
    return prepare(spec, Cache(tmp_path / "cache"), "class")


def texts(part):
    return [part.ids[a:b] for a, b in zip(part.offsets[:-1], part.offsets[1:], strict=True)]


def test_no_text_of_the_test_part_is_trained_on(tmp_path, corpus):
    cache = Cache(tmp_path / "cache")
    joined = join_parts(corpus, cache, with_test_texts=False)
    tests = {fingerprint(ids_N) for ids_N in texts(corpus.part("test"))}
    assert not any(fingerprint(ids_N) in tests for ids_N in texts(joined.part("train")))
    whole = join_parts(corpus, cache, with_test_texts=True)
    ours = [*texts(corpus.part("train")), *texts(corpus.part("validation"))]
    kept = [
        (a, label)
        for a, label in zip(ours, _labels(corpus), strict=True)
        if fingerprint(a) not in tests
    ]
    assert (
        whole.sizes["train"]
        == len(ours)
        > len(kept)
        == joined.sizes["train"]
        == len(joined.part("train"))
    )
    for (ids_N, label), found, also in zip(
        kept, texts(joined.part("train")), joined.part("train").labels, strict=True
    ):
        assert np.array_equal(ids_N, found) and label == also


def test_the_test_part_stays_closed(tmp_path, corpus, monkeypatch):
    part = Corpus.part

    def closed(self, name):
        assert name != "test", "it was opened"
        return part(self, name)

    expected = fingerprints(corpus.part("test"))
    monkeypatch.setattr(Corpus, "part", closed)
    joined = join_parts(corpus, Cache(tmp_path / "cache"), with_test_texts=False)
    assert 0 < joined.sizes["train"] < corpus.sizes["train"] + corpus.sizes["validation"]
    assert corpus.test_prints() == expected and joined.test_prints() == b""
    monkeypatch.undo()
    (corpus.path / "test.digests").unlink()  # as in a corpus that was made before
    assert corpus.test_prints() == expected


def _labels(corpus):
    return [*corpus.part("train").labels, *corpus.part("validation").labels]


def test_vectors_that_were_made_later_are_found(tmp_path, corpus):
    cache = Cache(tmp_path / "cache")
    join_parts(corpus, cache, False)
    (corpus.path / "vectors").mkdir()
    for name in ("glove-1.npy", "glove-1.json", "other-2.npy"):
        (corpus.path / "vectors" / name).write_bytes(name.encode())
    for _ in range(2):
        joined = join_parts(open_corpus(corpus.path), cache, False, ["glove-1.npy"])
    found = {path.name: path.read_bytes() for path in (joined.path / "vectors").iterdir()}
    assert found == {name: name.encode() for name in ("glove-1.npy", "glove-1.json")}
