"""Conversion of tables with raw labels to the parts train, validation and test.

Labels are converted to targets: a class label to the number of its class, a numeric label to
float64. Rows are divided among the parts that the source does not bring itself. Labels that cannot
be learnt from are refused.
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.data.part import PARTS
from trainables.data.spec import DataSpec, SplitNames
from trainables.data.splitting.bundles import bundle
from trainables.data.splitting.overlaps import apart, conflicts
from trainables.data.splitting.splits import split_rows
from trainables.data.tables.label_names import name_whole_numbers
from trainables.data.tables.numbers import read_numbers
from trainables.data.tables.table import Labels, Table
from trainables.errors import DataError

Coded = dict[str, tuple[list[str], NDArray[Any]]]

#: So many times further from the middle than half of the targets are.
_FAR_OUT = 1e4

_INTEGER = re.compile(r"[+-]?\d{1,4000}")

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
    classes, notes = list[str](), list[str]()
    if labels == "class":
        tables, notes = name_whole_numbers(tables)
        classes = _classes(tables, spec.source)
    if spec.limit is not None:
        tables = {name: some_rows(table, spec) for name, table in tables.items()}
    tables, overlaps = apart(tables, spec)
    coded = _coded(tables, classes, spec)
    parts, uneven = _cut(coded, tables["train"], spec)
    train = parts["train"][1]
    notes += dict.fromkeys(note for table in tables.values() for note in table.notes)
    notes += [*uneven, *_left_out(tables), *overlaps]
    every = [list(column) for column in zip(*parts.values(), strict=True)]
    notes += conflicts(
        [text for texts in every[0] for text in texts], np.concatenate(every[1]).tolist()
    )
    if labels == "class":
        notes += _oddities(train, classes)
    elif train.min() == train.max():
        raise DataError(
            f"all training labels of {spec.source!r} are {train[0]:g}: nothing to learn"
        )
    else:
        notes += [
            note for name, table in tables.items() for note in _outliers(table, coded[name][1])
        ]
    return Parts(
        {part: texts for part, (texts, _) in parts.items()},
        {part: targets for part, (_, targets) in parts.items()},
        classes,
        notes,
    )


def _coded(tables: dict[str, Table], classes: list[str], spec: DataSpec) -> Coded:
    """Return the texts and targets of each table: class numbers, or numbers without classes."""
    number = {label: i for i, label in enumerate(classes)}
    return {
        name: (
            table.texts,
            np.array([number[y] for y in table.labels], dtype=np.int64)
            if classes
            else read_numbers(table, spec),
        )
        for name, table in tables.items()
    }


def some_rows(table: Table, spec: DataSpec) -> Table:
    """Draw at most ``limit`` rows with the seed of the split; keep their order."""
    rows = np.random.default_rng(spec.split_seed).permutation(len(table.texts))[: spec.limit]
    return table.take(sorted(rows.tolist()))


def _classes(tables: dict[str, Table], source: str) -> list[str]:
    """Return the distinct labels of all parts: by value if all are numbers, else by spelling."""
    classes = sorted({label for table in tables.values() for label in table.labels})
    if all(_INTEGER.fullmatch(label) for label in classes):
        classes.sort(key=int)  # stable: 01 and 1 stay in order of spelling
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


def _cut(coded: Coded, table: Table, spec: DataSpec) -> tuple[Coded, list[str]]:
    """Return texts and labels of the three parts, and notes; ``table`` is the training one.

    Parts that the source brings stay but for rows that stand in two. The others are cut from
    its ``train`` rows, and each class keeps its share in each of them.
    """
    if isinstance(spec.split, SplitNames):
        missing = [part for part in PARTS if part not in coded]
        if missing:
            raise DataError(f"the {missing[0]} part of {spec.source!r} has no usable row")
        return coded, []
    brought = {part: coded[part] for part in PARTS[1:] if part in coded}
    texts, labels_N = coded["train"]
    kept = [part for part in PARTS if part not in brought]
    wanted = [spec.split[PARTS.index(part)] for part in kept]
    fractions = tuple(fraction / sum(wanted) for fraction in wanted)
    # Numbers have no classes to stratify by, so all rows are of one kind.
    kinds_N = labels_N if labels_N.dtype == np.int64 else np.zeros(len(texts), dtype=np.int64)
    blocks = table.blocks() if spec.split_by == "block" else None
    bundles = bundle(texts, table.groups, blocks)
    rows = split_rows(bundles, kinds_N, fractions, spec.split_seed)
    asked = spec.group or blocks
    notes = _large(bundles, min(fractions) * len(texts)) if asked else []
    cut = {
        part: ([texts[i] for i in chosen], labels_N[chosen])
        for part, chosen in zip(kept, rows, strict=True)
    }
    return {part: {**brought, **cut}[part] for part in PARTS}, notes


def _large(bundles: list[list[int]], quota: float) -> list[str]:
    """Return a note about rows that belong together and are more than the smallest part holds."""
    most = max(map(len, bundles))
    if most <= quota:
        return []
    return [f"{most} rows belong together, more than the smallest part holds: parts are uneven"]


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


def _outliers(table: Table, targets_N: NDArray[np.float64]) -> list[str]:
    """Return a note about numbers that lie so far out that the others are as one beside them."""
    middle = float(np.median(targets_N))
    spread = float(np.median(np.abs(targets_N - middle))) or float(np.abs(targets_N).max()) or 1.0
    far = np.flatnonzero(np.abs(targets_N - middle) > _FAR_OUT * spread)
    if not len(far):
        return []
    rows = ", ".join(f"{targets_N[i]:g} in {table.where(int(i))}" for i in far[:_NAMED])
    return [f"{len(far)} targets lie far out, and the others are as one beside them: {rows}"]


def _oddities(train_N: NDArray[np.int64], classes: list[str]) -> list[str]:
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
