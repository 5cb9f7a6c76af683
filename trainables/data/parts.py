"""Conversion of tables with raw labels to the parts train, validation and test.

Labels are converted to targets: a class label to the number of its class, a numeric label to
float64. Rows are divided among the parts that the source does not bring itself. Labels that cannot
be learnt from are refused.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainables.data.spec import DataSpec, SplitNames
from trainables.data.splits import PARTS, split_rows
from trainables.data.tables import Table
from trainables.errors import DataError

Labels = Literal["class", "number"]
Label = str | int | float | bool
Coded = dict[str, tuple[list[str], NDArray[Any]]]

#: A note names at most this many rows or classes, and only counts the rest.
_NAMED = 5


@dataclass(frozen=True)
class Parts:
    """The three parts of a data set.

    Attributes:
        texts: texts of each part.
        labels: targets of each part: int64 class numbers, or float64 numbers.
        classes: names of the classes by number; empty where labels are numbers.
        notes: sentences about the data that a person should read.
    """

    texts: dict[str, list[str]]
    labels: dict[str, NDArray[Any]]
    classes: list[str]
    notes: list[str]


def cut_parts(tables: dict[str, Table], spec: DataSpec, labels: Labels) -> Parts:
    """Convert labels to targets and divide the rows among the parts.

    Raises:
        DataError: there is only one class, there are too many classes or too few rows, or a label
            is no number.
    """
    # Before ``limit`` is applied, so that the sample has the classes of the whole data set.
    classes = _classes(tables, spec.source) if labels == "class" else []
    if spec.limit is not None:
        tables = {name: _some(table, spec) for name, table in tables.items()}
    number = {label: i for i, label in enumerate(classes)}
    coded: Coded = {}
    for name, table in tables.items():
        if labels == "class":
            targets: NDArray[Any] = np.array([number[y] for y in table.labels], dtype=np.int64)
        else:
            targets = np.array([_number(y, spec) for y in table.labels], dtype=np.float64)
        coded[name] = (table.texts, targets)
    parts = _cut(coded, spec)
    train = parts["train"][1]
    notes = _left_out(tables)
    if labels == "class":
        notes += _oddities(train, classes)
    elif train.min() == train.max():
        raise DataError(
            f"all training labels of {spec.source!r} are {train[0]:g}: nothing to learn"
        )
    return Parts(
        {part: texts for part, (texts, _) in parts.items()},
        {part: targets for part, (_, targets) in parts.items()},
        [str(label) for label in classes],
        notes,
    )


def _some(table: Table, spec: DataSpec) -> Table:
    """Draw at most ``limit`` rows with the seed of the split; keep their order."""
    rows = np.random.default_rng(spec.split_seed).permutation(len(table.texts))[: spec.limit]
    chosen = sorted(rows.tolist())
    return Table(
        [table.texts[i] for i in chosen], [table.labels[i] for i in chosen], table.left_out
    )


def _number(label: Label, spec: DataSpec) -> float:
    try:
        value = float(label)
    except (ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"label {label!r} of {spec.source!r} is not a finite number: is data.label "
            "the right column? For classes, use a classification task"
        )
    return value


def _classes(tables: dict[str, Table], source: str) -> list[Label]:
    """Return the distinct labels of all parts: numbers by value, then strings by spelling."""
    seen = {label for table in tables.values() for label in table.labels}
    # Python cannot compare a number with a string, so the type comes first in the key.
    classes = sorted(seen, key=lambda x: (isinstance(x, str), x))
    if len(classes) == 1:
        raise DataError(
            f"all rows of {source!r} have the label {classes[0]!r}: "
            "a classifier needs at least two classes"
        )
    rows = sum(len(table.labels) for table in tables.values())
    if len(classes) > max(2, rows // 2):
        raise DataError(
            f"{source!r} has {len(classes)} different labels in {rows} rows: "
            "is data.label the right column? Numbers are predicted by task = 'text-regression'"
        )
    return classes


def _cut(coded: Coded, spec: DataSpec) -> Coded:
    """Return texts and labels of the three parts.

    Validation and test rows that the source brings stay as they are. The other parts are cut from
    its ``train`` rows, and each class keeps its share in each of them.
    """
    if isinstance(spec.split, SplitNames):
        names = spec.split.model_dump()
        missing = [name for name in names.values() if name not in coded]
        if missing:
            raise DataError(f"{spec.source!r} has no part {missing[0]!r}; it has {list(coded)}")
        return {part: coded[name] for part, name in names.items()}
    brought = {part: coded[part] for part in PARTS[1:] if part in coded}
    texts, labels_N = coded["train"]
    kept = [part for part in PARTS if part not in brought]
    wanted = [spec.split[PARTS.index(part)] for part in kept]
    fractions = tuple(fraction / sum(wanted) for fraction in wanted)
    # Numbers have no classes to stratify by, so all rows are of one kind.
    kinds_N = labels_N if labels_N.dtype == np.int64 else np.zeros(len(texts), dtype=np.int64)
    rows = split_rows(texts, kinds_N, fractions, spec.split_seed)
    cut = {
        part: ([texts[i] for i in chosen], labels_N[chosen])
        for part, chosen in zip(kept, rows, strict=True)
    }
    return {part: {**brought, **cut}[part] for part in PARTS}


def _left_out(tables: dict[str, Table]) -> list[str]:
    """Return a note about each part that has unusable rows."""
    notes = []
    for part, table in tables.items():
        if table.left_out:
            rows = ", ".join(map(str, table.left_out[:_NAMED]))
            more = ", …" if len(table.left_out) > _NAMED else ""
            notes.append(
                f"{len(table.left_out)} rows of the {part} data left out for want of a text or a "
                f"label: {rows}{more}"
            )
    return notes


def _oddities(train_N: NDArray[np.int64], classes: list[Label]) -> list[str]:
    """Return notes about classes without training texts, and about one with nearly all texts."""
    counts = np.bincount(train_N, minlength=len(classes))
    notes = []
    unseen = [str(label) for label, count in zip(classes, counts, strict=True) if count == 0]
    if unseen:
        listed = ", ".join(unseen[:_NAMED])
        notes.append(f"{len(unseen)} classes are never seen in training: {listed}")
    share = counts.max() / counts.sum()
    if share >= 0.9:
        label = classes[int(counts.argmax())]
        notes.append(f"{share:.1%} of the training texts are {label!r}: accuracy says little")
    return notes
