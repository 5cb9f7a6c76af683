"""Which revision of a hub data set is read; the hub itself is replaced."""

from types import SimpleNamespace

import datasets
import huggingface_hub
import pytest
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]
from pydantic import ValidationError

from trainables.data.corpus import corpus_key, prepare
from trainables.data.hub import FILE_SUFFIXES, is_hub_name
from trainables.data.reading.formats import FORMATS
from trainables.data.sources.source import find_source
from trainables.data.spec import DataSpec
from trainables.data.suffixes import COMPRESSIONS
from trainables.data.tables.read import read_tables
from trainables.data.tables.unlabelled import find_texts, read_texts
from trainables.errors import DataError
from trainables.storage import Cache
from trainables.tasks.text_inputs import TextInputs


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub with one data set, at a commit that a test may move; returns what was asked."""
    asked = SimpleNamespace(commit="aaa", loaded=[], reachable=True, splits={})

    def info(self, name, timeout):
        if not asked.reachable:
            raise httpx.ConnectError("no network")
        return SimpleNamespace(sha=asked.commit)

    def load(name, revision=None, cache_dir=None):
        asked.loaded.append((name, revision))
        if asked.splits:
            return datasets.DatasetDict(asked.splits)
        rows = [(f"text {i} of {revision}", i % 2) for i in range(40)]
        return datasets.Dataset.from_dict(
            {"text": [t for t, _ in rows], "label": [y for _, y in rows]}
        )

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", info)
    monkeypatch.setattr(datasets, "load_dataset", load)
    return asked


def test_the_newest_revision_is_taken_once_and_kept(hub, tmp_path):
    begun = DataSpec(source="someone/reviews").located()
    assert begun.revision == "aaa"
    hub.commit = "bbb"
    assert begun.located() == begun, "a resume reads what the study began with"
    prepare(begun, Cache(tmp_path / "cache"))
    assert hub.loaded == [("someone/reviews", "aaa")]
    later = DataSpec(source="someone/reviews").located()
    assert later.revision == "bbb" and corpus_key(later) != corpus_key(begun)


def test_a_folder_of_the_same_name_changes_nothing_later(hub, tmp_path):
    begun = DataSpec(source="reviews").located()
    (tmp_path / "reviews").mkdir()
    assert DataSpec(**begun.model_dump()).located() == begun
    assert find_source("reviews", begun.revision).revision == "aaa"


def test_a_hub_that_cannot_be_asked_is_told(hub, tmp_path):
    hub.reachable = False
    data = DataSpec(source="someone/reviews").located()
    assert data.revision is None
    tables = {"data": data.model_dump(mode="json")}
    prepared = TextInputs("class").prepare(tables, {}, Cache(tmp_path / "cache"))
    assert any("another revision would go unnoticed" in note for note in prepared.notes)


def split_of(name: str, rows: int = 40) -> datasets.Dataset:
    return datasets.Dataset.from_dict(
        {"text": [f"{name} {i}" for i in range(rows)], "label": [i % 2 for i in range(rows)]}
    )


def test_named_splits_are_heeded_where_they_are_called_as_our_parts(hub, tmp_path):
    hub.splits = {name: split_of(name) for name in ("train", "validation", "test")}
    names = {"train": "train", "validation": "test", "test": "validation"}
    spec = DataSpec.model_validate({"source": "someone/reviews", "split": names})
    tables = read_tables(spec, tmp_path)
    assert {part: table.texts[0].split()[0] for part, table in tables.items()} == names


@pytest.mark.parametrize("name", ["dev", "val", "valid", "eval", "validation_matched"])
def test_splits_tell_their_part_as_files_do(hub, tmp_path, name):
    hub.splits = {one: split_of(one) for one in ("train", name, "unsupervised", "train_small")}
    tables = read_tables(DataSpec(source="someone/reviews"), tmp_path)
    assert tables["train"].texts[0] == "train 0" and len(tables["train"].texts) == 40
    assert tables["validation"].texts[0] == f"{name} 0"
    said = "passed over: unsupervised, train_small; data.split names others"
    assert {f"validation: {name}", said} < set(tables["train"].notes)


def test_a_single_split_is_training_and_several_of_no_part_are_refused(hub, tmp_path):
    hub.splits = {"all": split_of("all")}
    assert len(read_tables(DataSpec(source="someone/reviews"), tmp_path)["train"].texts) == 40
    hub.splits = {"en": split_of("en"), "de": split_of("de")}
    with pytest.raises(DataError, match=r"no part 'train'; it has: en, de. Name its parts with"):
        read_tables(DataSpec(source="someone/reviews"), tmp_path)


@pytest.mark.parametrize("names", [["data", "test"], ["train_10k", "train_100k", "test"]])
def test_all_splits_are_named_where_none_is_surely_training(hub, tmp_path, names):
    hub.splits = {name: split_of(name) for name in names}
    with pytest.raises(DataError, match=f"no part 'train'; it has: {', '.join(names)}. Name"):
        read_tables(DataSpec(source="someone/reviews"), tmp_path)


def test_a_validation_split_without_labels_is_left_out(hub, tmp_path):
    hub.splits = {"train": split_of("train"), "dev": split_of("dev").remove_columns("label")}
    tables = read_tables(DataSpec(source="someone/reviews"), tmp_path)
    assert tables.keys() == {"train"}
    assert "the validation part has no labels: it is left out" in tables["train"].notes


def test_words_are_learnt_from_all_splits_but_test(hub, tmp_path):
    hub.splits = {name: split_of(name) for name in ("train", "unsupervised", "test")}
    texts = read_texts("someone/reviews", tmp_path)
    assert {text.split()[0] for text in texts} == {"train", "unsupervised"}
    assert find_texts("someone/reviews").notes == ("someone/reviews: all splits but test",)


@pytest.mark.parametrize("source", ["imdb", "./reviews", "reviews.csv", "/tmp/reviews"])
def test_a_revision_of_what_is_not_on_the_hub_is_refused(source):
    with pytest.raises(ValidationError, match="revision has no effect"):
        DataSpec(source=source, revision="aaa")


@pytest.mark.parametrize("setting", [{"encoding": "latin-1"}, {"delimiter": ";"}])
def test_how_a_file_is_written_is_refused_of_the_hub_at_once(setting, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValidationError, match="no file or folder here, so it is looked for on the"):
        DataSpec(source="someone/reviews", **setting)
    (tmp_path / "reviews").mkdir()
    assert DataSpec(source="reviews", **setting).revision is None


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("imdb2", True),
        ("stanfordnlp/imdb", True),
        ("a/b/c", False),
        ("x y", False),
        ("a.tsv", False),
    ],
)
def test_names_on_the_hub(name, there):
    assert is_hub_name(name) == there


def test_every_format_of_files_means_a_file():
    assert set(FILE_SUFFIXES) == {*FORMATS, *COMPRESSIONS}
