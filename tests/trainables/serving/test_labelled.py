"""Labelled texts to score a model by, without a model."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from trainables.data.spec import DataSpec
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
