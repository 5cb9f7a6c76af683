"""Words, characters and word pieces."""

import subprocess
import sys
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from trainables.data.corpus import prepare
from trainables.data.spec import DataSpec
from trainables.data.text.bert import bert_pieces
from trainables.data.text.tokens import clean, tokenise, with_normaliser
from trainables.data.text.words import split_words
from trainables.storage import Cache


@pytest.mark.parametrize(
    "kind",
    ["words", "characters", "wordpieces", pytest.param("bert", marks=pytest.mark.whole)],
)
def test_every_kind_of_token_reads_raw_text_as_the_corpus_does(tmp_path, kind):
    """The saved tokenizer gives a raw text the ids that the corpus has for it."""
    path = tmp_path / "x.csv"
    texts = [f"A <br /> Déjà-vu movie, isn't it? {i}" for i in range(30)]
    path.write_text("text,label\n" + "".join(f'"{t}",{i % 2}\n' for i, t in enumerate(texts)))
    corpus = prepare(
        DataSpec(source=str(path), tokens=kind, **({} if kind == "bert" else {"vocabulary": 300})),
        Cache(tmp_path / "cache"),
    )
    tokenizer = Tokenizer.from_file(str(corpus.tokenizer_file))
    vocabulary = tokenizer.get_vocab()
    assert (vocabulary["[PAD]"], vocabulary["[UNK]"]) == (0, 1)
    assert corpus.vocabulary == len(vocabulary) and (kind == "bert" or len(vocabulary) <= 300)
    part = corpus.part("train")
    own = {tuple(part.ids[a:b]) for a, b in pairwise(part.offsets)}
    read = {tuple(e.ids) for e in tokenizer.encode_batch(texts, add_special_tokens=False)}
    assert own <= read
    length = {"words": 11, "characters": 30}.get(kind, 12)
    assert all(len(ids) >= length for ids in own)


PIECES = """
from tests.reviews import GOOD, BAD
from trainables.data.text.tokens import tokenise
texts = [f"{a} {b}ly {c}" for a in GOOD for b in BAD for c in GOOD]
print(sorted(tokenise("wordpieces", {"train": texts}, 90)[0].get_vocab().items()))
"""


@pytest.mark.slow
def test_pieces_are_numbered_alike_in_every_process():
    """A cache that was cleared is filled again with the same ids."""
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", PIECES]
    with ThreadPoolExecutor(2) as pool:
        said = set(pool.map(lambda _: subprocess.check_output(command, cwd=root), range(4)))
    assert len(said) == 1 and b"##" in said.pop()


@pytest.mark.parametrize("kind", ["words", "characters", "wordpieces"])
def test_marks_and_letters_in_a_text_are_plain_text(kind):
    raw = "Σοφος ΣΟΦΟΣ [PAD] [UNK]"
    tokenizer, _ = tokenise(kind, {"train": [clean(raw)] * 3}, 100)
    read = with_normaliser(tokenizer).encode(raw).ids
    assert read == tokenizer.encode(clean(raw)).ids and not {0, 1} & set(read)


@given(st.lists(st.text(st.sampled_from("ab'nt'sd é्\x1c\x85_7²,.\n")), min_size=1))
def test_words_are_the_saved_tokenizers(texts):
    """The fast pass and the library agree on every text, letters of any kind or none."""
    texts = [clean(text) for text in texts]
    tokenizer, ids = tokenise("words", {"train": texts, "validation": [texts[0] + " new"]}, 6)
    for part, some in (("train", texts), ("validation", [texts[0] + " new"])):
        read = tokenizer.encode_batch(some, add_special_tokens=False)
        assert [e.ids for e in read] == [ids_N.tolist() for ids_N in ids[part]]
    assert tokenizer.get_vocab_size() <= 6


def test_vocabulary_is_by_frequency_then_spelling():
    texts = {"train": ["b a c", "c a d", "é z"], "validation": ["d d d d new"]}
    tokenizer, ids = tokenise("words", texts, 7)
    number_of = tokenizer.get_vocab()
    assert sorted(number_of, key=lambda word: number_of[word])[2:] == list("acbdz")
    assert ids["validation"][0].tolist() == [5, 5, 5, 5, 1]


@pytest.mark.whole
def test_berts_own_pieces_without_accents():
    tokenizer, _ = tokenise("bert", {"train": []}, 10)
    assert tokenizer.get_vocab_size() == len(bert_pieces()) == 30522
    encoding = tokenizer.encode("Déjà-vu: an unbelievably moving film", add_special_tokens=False)
    assert encoding.tokens[:4] == ["de", "##ja", "-", "vu"] and "[UNK]" not in encoding.tokens
    assert "##bly" in encoding.tokens


@pytest.mark.parametrize("marks", ["\u0301\u0323", "\u0f73", "\U0001d165\u0334"])
def test_a_run_of_marks_takes_no_time_that_grows_with_its_square(marks):
    """Whoever else wants to compute waits until it is sorted."""
    began = time.monotonic()
    words = split_words(clean("é" + marks * (100_000 // len(marks)) + " a warm film"))
    assert time.monotonic() - began < 1.0
    assert words[-3:] == ["a", "warm", "film"]


@given(
    st.text(
        st.one_of(
            st.sampled_from("aé한ะ \u0301\u0323\u0334\u0f73\u3099\U0001d165"),
            st.characters(min_codepoint=0x300, codec="utf-8"),
        ),
        max_size=30,
    )
)
def test_what_a_language_could_have_is_normalised_as_ever(text):
    for ordinary in (text, f"{text} {text}"):
        assert clean(ordinary) == unicodedata.normalize("NFC", ordinary).replace("Σ", "σ").lower()


def test_a_longer_run_of_marks_is_parted():
    assert clean("x" + "\u0334" * 30) == "x" + "\u0334" * 30
    assert clean("x" + "\u0334" * 61) == "x" + ("\u0334" * 30 + "\u034f") * 2 + "\u0334"
