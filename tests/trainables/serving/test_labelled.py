"""Labelled texts to score a model by, without a model."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from trainables.data.spec import DataSpec
from trainables.errors import DataError
from trainables.serving.folder import ModelConfig
from trainables.serving.labelled import Labelled, read_labelled


def write(path: Path, labels: Iterable[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{path.stem} {i},{label}" for i, label in enumerate(labels)]
    path.write_text("\n".join(["text,label", *rows]))
    return path


def read(
    source: Path,
    classes: tuple[str, ...],
    part: str | None = None,
    names: Mapping[str, str] | None = None,
    **options: Any,
) -> Labelled:
    about: dict[str, Any] = {"classes": classes}
    config = ModelConfig.model_construct(**about)
    spec = DataSpec(source=str(source), **options)
    return read_labelled(spec, part, names or {}, config, source.parent)


@pytest.mark.parametrize(
    ("classes", "names", "named"),
    [
        (("1", "2"), {}, True),
        (("1.0", "2.0"), {}, False),
        (("a", "b"), {"1": "a", "2": "b"}, True),
        (("a", "b"), {"1.0": "a", "2.0": "b"}, False),
    ],
)
def test_whole_floats_mean_the_classes_that_the_model_has(tmp_path, classes, names, named):
    found = read(write(tmp_path / "a.csv", ["1.0", "2.0"] * 4), classes, names=names)
    assert found.targets_N.tolist() == [0, 1] * 4
    assert any("are named as '1' is" in note for note in found.notes) == named


def test_another_part_is_not_scored_in_place_of_a_test_part_without_labels(tmp_path):
    folder = tmp_path / "d"
    for part in ("train", "val"):
        write(folder / f"{part}.csv", "ab" * 10)
    (folder / "test.csv").write_text("text\nx\ny\n")
    remedy = r"name the file of another part, or --part \(train, validation\)"
    with pytest.raises(DataError, match=f"the test part has no labels: {remedy}"):
        read(folder, ("a", "b"))
    found = read(folder, ("a", "b"), "validation")
    assert found.part == "validation" and "validation: val.csv" in found.notes
    write(folder / "test.csv", "10" * 10)
    with pytest.raises(DataError, match="'0', '1'; say which each means"):
        read(folder, ("a", "b"))
    assert read(folder, ("a", "b"), names={"1": "a", "0": "b"}).targets_N.tolist() == [0, 1] * 10


def test_scoring_needs_no_training_part(tmp_path):
    for name in ("test-0.csv", "test-1.csv"):
        write(tmp_path / "d" / name, "ab" * 10)
    found = read(tmp_path / "d", ("a", "b"))
    assert len(found.texts) == 40 and found.part is None
    assert "test: test-0.csv, test-1.csv" in found.notes
    (tmp_path / "d" / "test-1.csv").unlink()
    assert len(read(tmp_path / "d", ("a", "b"), "test").texts) == 20


def test_numbers_are_not_scored_by_another_column(tmp_path):
    write(tmp_path / "d" / "train.csv", [str(i) for i in range(20)])
    (tmp_path / "d" / "test.csv").write_text("text,rating\nx,1\ny,2\n")
    with pytest.raises(DataError, match="another column of labels than training: 'rating': name"):
        read(tmp_path / "d", ())
