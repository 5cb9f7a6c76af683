"""Which files of a folder are read, as which part, and of which class."""

from pathlib import Path

import pytest

from trainables.data.sources.folders import part_of
from trainables.data.sources.source import Source, find_source
from trainables.data.spec import DataSpec
from trainables.data.tables.read import read_tables
from trainables.data.tables.unlabelled import find_texts, read_texts
from trainables.errors import DataError


def folder_of(folder: Path, *names: str, each: int = 1) -> Path:
    """Write files; ``*`` in a name stands for a number."""
    for name in names:
        for i in range(each if "*" in name else 1):
            path = folder / name.replace("*", str(i))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"text,label\n{name} {i},a\n")
    return folder


def parts_of(source: Source) -> dict[str, list[str]]:
    return {
        part: sorted({f"{path.parent.name}/{path.name}" for path in files})
        for part, files in source.parts.items()
    }


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("trainset", "train"),
        ("TrainData", "train"),
        ("testset", "test"),
        ("TestData", "test"),
        ("my_testdata_2", "test"),
        ("XTest", "test"),
        ("devset", "validation"),
        ("ValidationSet", "validation"),
        ("dataset", None),
        ("Contest", None),
        ("LATEST", None),
    ],
)
def test_names_written_together_tell_a_part(name, part):
    assert part_of([name]) == part


def test_files_whose_names_tell_no_part_are_said(tmp_path):
    found = find_source(str(folder_of(tmp_path / "d", "first.csv", "second.csv")))
    assert found.notes == ("all are read as training: first.csv, second.csv",)
    found = find_source(str(folder_of(tmp_path / "e", "trainset.csv", "testset.csv")))
    assert parts_of(found) == {"train": ["e/trainset.csv"], "test": ["e/testset.csv"]}


def test_a_class_may_be_called_like_a_part(tmp_path):
    names = [f"{part}/{kind}/*.txt" for part in ("train", "test") for kind in ("dev", "ops")]
    folder = folder_of(tmp_path / "d", *names, each=2)
    found = find_source(str(folder))
    assert {part: len(files) for part, files in found.parts.items()} == {"train": 4, "test": 4}
    assert set(read_tables(DataSpec(source=str(folder)), tmp_path)["train"].labels) == {
        *("dev", "ops")
    }
    only = find_source(str(folder_of(tmp_path / "e", "dev/*.txt", "ops/*.txt", each=2)))
    assert {part: len(files) for part, files in only.parts.items()} == {"train": 4}
    named = {"train": "train", "validation": "dev", "test": "test"}
    spec = DataSpec.model_validate({"source": str(folder), "split": named})
    with pytest.raises(DataError, match="validation part: no file named 'dev'"):
        find_source(spec.source, split=spec.split)


def test_folders_of_parts_without_classes_are_refused(tmp_path):
    folder = folder_of(tmp_path / "d", "train/*.txt", "test/*.txt", each=3)
    with pytest.raises(DataError, match=r"called like parts \(test, train\), and hold no folders"):
        find_source(str(folder))


def test_what_is_no_text_of_a_class_is_said(tmp_path):
    names = ["README.txt", "train/urls.txt", "train/pos/9.text", "test/none.txt"]
    texts = ["train/pos/*.txt", "train/neg/*.txt"]
    found = find_source(str(folder_of(tmp_path / "d", *names, *texts, each=3)))
    assert len(found.parts["train"]) == 6
    said = "so passed over: README.txt, test/none.txt, train/pos/9.text, train/urls.txt"
    assert any(said in note for note in found.notes)


def test_compressed_texts_are_texts(tmp_path):
    import gzip

    folder = folder_of(tmp_path / "d", "pos/*.txt", "neg/*.txt", each=3)
    (folder / "neg" / "9.txt.gz").write_bytes(gzip.compress(b"packed"))
    table = read_tables(DataSpec(source=str(folder)), tmp_path)["train"]
    assert len(table.texts) == 7 and "packed" in table.texts


@pytest.mark.parametrize(
    "names",
    [
        ["pos/2019/*.txt", "pos/2020/*.txt", "neg/*.txt"],
        ["pos/2019/*.txt", "pos/2020/*.txt", "pos/*.txt", "neg/2019/*.txt"],
        ["pos/*.txt", "neg/*.txt", "pos/old/*.txt"],
        ["train/pos/*.txt", "train/neg/*.txt", "train/pos/old/*.txt"],
    ],
)
def test_texts_at_several_depths_are_refused(tmp_path, names):
    with pytest.raises(DataError, match="lie at several depths: "):
        find_source(str(folder_of(tmp_path / "d", *names, each=4)))


def test_classes_within_folders_that_tell_nothing_are_said(tmp_path):
    names = [f"{kind}/{year}/*.txt" for kind in ("pos", "neg") for year in (2019, 2020)]
    found = find_source(str(folder_of(tmp_path / "d", *names, "pos/x.txt", each=20)))
    assert (
        "the classes are the folders that hold the texts: '2019', '2020'; the folders"
        in (found.notes[0])
    )
    assert "so passed over: pos/x.txt" in found.notes[1]


def test_a_folder_around_everything_changes_nothing(tmp_path):
    names = [f"aclImdb/{part}/{kind}/*.txt" for part in ("train", "test") for kind in ("a", "b")]
    urls = ["aclImdb/train/urls.txt", "aclImdb/test/urls.txt"]
    found = find_source(str(folder_of(tmp_path / "d", *names, *urls, each=20)))
    assert {part: len(files) for part, files in found.parts.items()} == {"train": 40, "test": 40}


def test_texts_without_labels_are_read_to_learn_words(tmp_path):
    about = ["train/urls_pos.txt", "train/labeledBow.feat", "test/pos/0.txt"]
    texts = [f"train/{kind}/*.txt" for kind in ("pos", "neg", "unsup")]
    folder = folder_of(tmp_path / "aclImdb", *about, *texts, each=10)
    found = find_texts(str(folder))
    read = read_texts(str(folder), tmp_path)
    assert len(read) == 30 and any("unsup" in text for text in read)
    assert not any("test/pos" in text or "urls" in text for text in read)
    assert found.notes[1:] == (
        f"{folder}: of a test part, so left out: test/pos/0.txt",
        f"{folder}: passed over: train/labeledBow.feat, train/urls_pos.txt",
    )
    assert len(read_texts(str(folder / "train" / "unsup"), tmp_path)) == 10


def test_rows_without_labels_are_read_to_learn_words(tmp_path):
    folder = folder_of(tmp_path / "d", "unsup-*.csv", "test.csv", each=2)
    assert len(read_texts(str(folder), tmp_path)) == 2
    with pytest.raises(DataError, match="except those of a test part"):
        find_texts(str(folder_of(tmp_path / "e", "test.csv")))
