"""What is made of the parts that a source brings: their labels, and what they share."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from trainables.data.parts import Parts, cut_parts
from trainables.data.spec import DataSpec
from trainables.data.table import Labels
from trainables.data.tables import read_tables
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


def test_numbers_are_taken_from_one_column_only(tmp_path):
    write(tmp_path / "d/train.csv", "text,target", [f"train {i},{i % 9}" for i in range(60)])
    write(tmp_path / "d/test.csv", "text,rating", [f"test {i},{i % 5}" for i in range(20)])
    parts = parts_of(tmp_path / "d", "number")
    assert not any(text.startswith("test") for text in parts.texts["test"])


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
