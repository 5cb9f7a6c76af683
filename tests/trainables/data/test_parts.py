"""What is made of the parts that a source brings: their labels, and what they share."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from trainables.data.spec import DataSpec
from trainables.data.splitting.parts import Parts, cut_parts
from trainables.data.tables.read import read_tables
from trainables.data.tables.table import Labels
from trainables.errors import DataError


def write(path: Path, header: str, rows: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")


def parts_of(source: Path, labels: Labels = "class", **options: Any) -> Parts:
    spec = DataSpec(source=str(source), **options)
    return cut_parts(read_tables(spec, source.parent, labels), spec, labels)


def test_a_withheld_label_is_not_taken_from_another_column(tmp_path):
    write(
        tmp_path / "d/train.csv",
        "text,sentiment,rating",
        [f"train {i},{('neg', 'pos')[i % 2]},{i % 5}" for i in range(60)],
    )
    write(tmp_path / "d/test.csv", "text,rating", [f"test {i},{i % 5}" for i in range(20)])
    parts = parts_of(tmp_path / "d")
    assert parts.classes == ["neg", "pos"] and sum(map(len, parts.texts.values())) == 60
    said = "('test.csv') has another column of labels than training: 'rating': it is left out"
    assert any(said in note for note in parts.notes)
    (tmp_path / "d/test.csv").rename(tmp_path / "d/val.csv")
    with pytest.raises(DataError, match=r"validation part \('val.csv'\) has another column of"):
        parts_of(tmp_path / "d")


def test_a_test_part_of_other_classes_is_no_withheld_one(tmp_path):
    """It would be replaced by one that is cut from training, and the official one be lost."""
    write(tmp_path / "d/train.csv", "text,label", [f"a {i},{'np'[i % 2]}" for i in range(60)])
    write(tmp_path / "d/test.csv", "text,label", [f"b {i},{'NP'[i % 2]}" for i in range(20)])
    with pytest.raises(DataError, match=r"test part \('test.csv'\) has none of training's labels"):
        parts_of(tmp_path / "d")
    write(tmp_path / "d/test.csv", "text,label", [f"b {i},-1" for i in range(20)])
    assert sum(map(len, parts_of(tmp_path / "d").texts.values())) == 60


def test_shards_of_training_have_one_column_of_labels(tmp_path):
    first = [f"one {i},{('neg', 'pos')[i % 2]}" for i in range(40)]
    write(tmp_path / "d/train-0.csv", "text,sentiment", first)
    write(tmp_path / "d/train-1.csv", "text,rating", [f"two {i},{i % 5}" for i in range(40)])
    with pytest.raises(DataError, match="another column of labels than training: 'rating': name"):
        parts_of(tmp_path / "d")
    write(tmp_path / "d/train-1.csv", "text,class", first)
    assert parts_of(tmp_path / "d").classes == ["neg", "pos"]


def test_numbers_are_taken_from_one_column_only(tmp_path):
    write(tmp_path / "d/train.csv", "text,target", [f"train {i},{i % 9}" for i in range(60)])
    write(tmp_path / "d/test.csv", "text,rating", [f"test {i},{i % 5}" for i in range(20)])
    parts = parts_of(tmp_path / "d", "number")
    assert not any(text.startswith("test") for text in parts.texts["test"])


def test_a_column_in_other_letters_is_the_same(tmp_path):
    write(tmp_path / "train.csv", "text,target", [f"train {i},{i % 9}" for i in range(60)])
    write(tmp_path / "test.csv", "Text,Target", [f"test {i},{i % 7}" for i in range(20)])
    assert parts_of(tmp_path, "number").texts["test"][0] == "test 0"


@pytest.mark.parametrize("labels", ["class", "number"])
def test_one_value_in_place_of_withheld_labels_is_no_class(tmp_path, labels):
    write(tmp_path / "d/train.csv", "text,label", [f"train {i},{i % 2}" for i in range(60)])
    write(tmp_path / "d/test.csv", "text,label", [f"test {i},-1" for i in range(20)])
    parts = parts_of(tmp_path / "d", labels)
    assert parts.classes == (["0", "1"] if labels == "class" else [])
    assert not any(text.startswith("test") for text in parts.texts["test"])
    assert any("has none of training's labels, but '-1'" in note for note in parts.notes)
    (tmp_path / "d/test.csv").rename(tmp_path / "d/val.csv")
    with pytest.raises(DataError, match="none of training's labels, but '-1': mend it, or take"):
        parts_of(tmp_path / "d", labels)


def test_numbers_of_a_part_need_not_be_those_of_training(tmp_path):
    write(tmp_path / "d/train.csv", "text,label", [f"train {i},{i / 7}" for i in range(60)])
    write(tmp_path / "d/val.csv", "text,label", [f"val {i},{i / 11 + 0.5}" for i in range(20)])
    assert len(parts_of(tmp_path / "d", "number").texts["validation"]) == 20


def write_parts(folder: Path, columns: str = "", /, **rows: Any) -> Path:
    for part, lines in rows.items():
        write(folder / f"{part}.csv", f"text,label{columns}", lines)
    return folder


def rows_of(name: str, count: int, start: int = 0) -> list[str]:
    return [f"{name} {i},{'ab'[i % 2]}" for i in range(start, start + count)]


def test_validation_is_compared_with_test(tmp_path):
    train, same = rows_of("train", 100), rows_of("same", 20)
    folder = write_parts(tmp_path / "d", train=train, validation=same, test=same)
    with pytest.raises(DataError, match="20 of 20 test texts stand in validation as well, so that"):
        parts_of(folder)
    assert "20 of 20 test texts stand in validation as well: its figures flatter" in (
        parts_of(folder, overlap="keep").notes
    )
    write_parts(folder, validation=rows_of("other", 39) + same[:1])
    parts = parts_of(folder)
    said = "1 of 20 test texts stand in validation as well: 1 of 40 were taken out of validation"
    assert said in parts.notes and len(parts.texts["validation"]) == 39


def test_no_part_that_is_cut_from_training_has_texts_of_a_brought_one(tmp_path):
    """Neither a validation part with texts of the test part, nor a test part with validation's."""
    train = rows_of("train", 200)
    for part, cut in (("test", "validation"), ("validation", "test")):
        shared = [f"{line.partition(',')[0]},{'ab'[i % 2]}" for i, line in enumerate(train[::40])]
        brought = rows_of("brought", 60) + shared
        folder = write_parts(tmp_path / part, train=train, **{part: brought})
        parts = parts_of(folder, split=(0.5, 0.25, 0.25))
        assert not set(parts.texts[part]) & {*parts.texts["train"], *parts.texts[cut]}
        assert sum(map(len, parts.texts.values())) == 195 + 65
        said = f"5 of 65 {part} texts stand in training as well: 5 of 200 were taken out"
        assert any(said in note for note in parts.notes)


def test_a_text_that_is_half_of_training_is_not_taken_out_in_silence(tmp_path):
    train = [*rows_of("train", 50), *["ok,a"] * 50]
    folder = write_parts(tmp_path / "d", train=train, validation=[*rows_of("val", 19), "ok,a"])
    said = "1 of 20 validation texts stand in training as well, and to take them out would cost"
    with pytest.raises(DataError, match=f"{said} training 50 of its 100; part them anew"):
        parts_of(folder)
    assert sum(map(len, parts_of(folder, overlap="keep").texts.values())) == 120


def patients(name: str, count: int, first: int) -> list[str]:
    return [f"{line},{first + i // 5}" for i, line in enumerate(rows_of(name, count))]


def test_groups_are_looked_for_in_parts_that_the_source_brings(tmp_path):
    train, test = patients("train", 400, 0), patients("test", 100, 0)
    folder = write_parts(tmp_path / "d", ",patient", train=train, test=test)
    said = "100 of 100 test texts are of a 'patient' of whom training has others"
    with pytest.raises(DataError, match=f"{said}, so that its figures"):
        parts_of(folder, group="patient")
    assert f"{said}: its figures flatter" in parts_of(folder, group="patient", overlap="keep").notes
    write_parts(folder, ",patient", test=patients("test", 100, 79))
    parts = parts_of(folder, group="patient")
    said = "5 of 100 test texts are of a 'patient' of whom training has others: 5 of 400 were"
    assert any(said in note for note in parts.notes)
    assert len(parts.texts["train"]) + len(parts.texts["validation"]) == 395


def test_groups_are_looked_for_in_named_parts(tmp_path):
    rows = {"a": patients("a", 40, 0), "b": patients("b", 20, 90), "c": patients("c", 20, 0)}
    folder = write_parts(tmp_path / "d", ",patient", **rows)
    names = {"train": "a", "validation": "b", "test": "c"}
    with pytest.raises(DataError, match="20 of 20 test texts are of a 'patient' of whom training"):
        parts_of(folder, group="patient", split=names)


def labelled(name: str, labels: Iterable[str], rows: int = 40) -> list[str]:
    names = list(labels)
    return [f"{name} {i},{names[i % len(names)]}" for i in range(rows)]


def test_whole_floats_are_named_as_integers_once_for_all_parts(tmp_path):
    wide, narrow = labelled("t", ["1.0", "1.5", "2.0"]), labelled("v", ["1.0", "2.0"])
    parts = parts_of(write_parts(tmp_path / "a", train=wide, validation=narrow))
    assert parts.classes == ["1.0", "1.5", "2.0"]
    gap, whole = labelled("t", ["1.0", "2.0"]), labelled("v", ["1", "2"])
    parts = parts_of(write_parts(tmp_path / "b", train=gap, validation=whole))
    assert parts.classes == ["1", "2"]
    assert "labels such as '1.0' are named as '1' is" in parts.notes
    folder = write_parts(tmp_path / "c", **{"train-0": gap, "train-1": labelled("u", ["1", "2"])})
    assert parts_of(folder).classes == ["1", "2"], "file by file"
    both = labelled("t", ["1", "1.0"])
    assert parts_of(write_parts(tmp_path / "d", train=both)).classes == ["1", "1.0"]


def test_numbers_keep_the_marks_of_their_thousands(tmp_path):
    train = labelled("t", ["1.250", "250.500", "7.000"])
    folder = write_parts(
        tmp_path / "d", train=train, validation=labelled("v", ["250.000", "9.000"])
    )
    parts = parts_of(folder, "number", thousands=".", decimal=",")
    assert set(parts.labels["validation"]) == {250_000.0, 9_000.0}
    assert set(parts.labels["train"]) == {1_250.0, 250_500.0, 7_000.0}


def test_parts_of_a_single_file_cannot_be_named(tmp_path):
    folder = write_parts(tmp_path / "d", train=rows_of("train", 20))
    names = {"train": "a", "validation": "b", "test": "c"}
    with pytest.raises(DataError, match="is one file, and has no part 'b': give"):
        parts_of(folder / "train.csv", split=names)
