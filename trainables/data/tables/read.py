"""Reading of a data set into one table of texts and labels for each part."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trainables.data.part import PARTS
from trainables.data.reading.rows import RowFile
from trainables.data.sources.files import open_parts
from trainables.data.sources.source import find_source
from trainables.data.spec import DataSpec, SplitNames
from trainables.data.tables.choosing import LABEL_COLUMNS, TEXT_COLUMNS, has_column
from trainables.data.tables.label_names import without_decimals
from trainables.data.tables.table import Labels, Table, read_table, text_columns
from trainables.errors import DataError

#: So many rows seldom have one and the same number for a label.
_MANY_ROWS = 10

#: What to do about a part that cannot be used.
_REMEDY = {
    "train": "name the column alike in all of its files",
    **dict.fromkeys(
        PARTS[1:],
        "mend it, or take it out: with data.split as shares, another is cut from training",
    ),
}


@dataclass
class Tables:
    """All that is read of a source.

    Attributes:
        parts: the table of each part that has usable rows.
        left_out: of the other parts, why each is not read.
        notes: what was done with the files of the source.
    """

    parts: dict[str, Table] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_tables(
    spec: DataSpec, cache_dir: Path, labels: Labels | None = "class"
) -> dict[str, Table]:
    """Read all parts of a source; what was done with its files is noted at the training part.

    Raises:
        DataError: as ``read_parts`` does.
    """
    read = read_parts(spec, cache_dir, labels)
    read.parts["train"].notes[:0] = read.notes
    return read.parts


def read_parts(
    spec: DataSpec, cache_dir: Path, labels: Labels | None = "class", needs_train: bool = True
) -> Tables:
    """Read all parts of a source; whoever only scores texts needs no training part.

    A part without labels, as the test part of a competition, is left out; so is a test part with
    one value in place of its labels, or those of another column. ``labels`` says what they are;
    None where that is not known yet.

    Raises:
        DataError: the source is unreadable or malformed, a column is missing, no row is usable, or
            the labels of a part cannot be training's.
    """
    source = find_source(spec.source, spec.revision, spec.split, needs_train)
    files = open_parts(source, spec, cache_dir, needs_train)
    read, chosen = Tables(notes=list(source.notes)), dict[str, str]()
    for part in PARTS:
        if part != "train" and part in files and _is_unlabelled(files[part], spec):
            read.left_out[part] = f"the {part} part has no labels"
        elif part in files:
            table = read_table(files[part], spec, source.only, chosen)
            _take_in(part, table, read, labels, needs_train)
    if needs_train:
        _check_trainable(read, spec)
    return read


def _check_trainable(read: Tables, spec: DataSpec) -> None:
    """Refuse what cannot be trained from, and note at the training part what is left out.

    Raises:
        DataError: it has no rows, or a part that the study names has none of use.
    """
    if "train" not in read.parts:
        raise DataError(f"{spec.source!r} has no usable row (text and label, neither blank)")
    if read.left_out and isinstance(spec.split, SplitNames):
        part, why = next(iter(read.left_out.items()))
        raise DataError(f"{spec.source!r}: {why}: {_REMEDY[part]}")
    read.parts["train"].notes += [f"{why}: it is left out" for why in read.left_out.values()]


def _take_in(
    part: str, table: Table, read: Tables, labels: Labels | None, needs_train: bool
) -> None:
    """Put a table among those read, or say why it is left out.

    Raises:
        DataError: its labels cannot be training's, and are none that stand for withheld ones.
    """
    train, rows, why = read.parts.get("train", table), len(table.left_out), None
    if table.texts and labels:
        why = _why_other_column(table, train, labels)
        if needs_train or labels == "number":  # whoever scores says what strange classes mean
            why = why or _why_strange(table, train, labels)
    may_be_withheld = part == "test" and (table.other_labels or len(_names(table)) == 1)
    if why is not None and needs_train and not may_be_withheld:
        raise DataError(f"the {part} part {why}: {_REMEDY[part]}")
    if not table.texts:
        why = f"has no usable row ({rows} without a text or a label)"
    if why is None:
        read.parts[part] = table
    else:
        read.left_out[part] = f"the {part} part {why}"


def _why_other_column(table: Table, train: Table, labels: Labels) -> str | None:
    """Say that a part's labels are of a column that is not training's; None if they can be.

    Where labels are withheld, another customary column is easily taken for theirs.
    """
    if not table.other_labels:
        return None
    known, by_file = _names(train, train.other_labels.keys()), table.labels_by_file()
    for place, column in table.other_labels.items():
        found = set(map(without_decimals, set(by_file[place])))
        if labels == "number" or not found <= known:
            file = table.files[place][1]
            return f"({file!r}) has another column of labels than training: {column!r}"
    return None


def _why_strange(table: Table, train: Table, labels: Labels) -> str | None:
    """Say that a part has none of training's labels; None if it has, or numbers of its own.

    Where labels are withheld, one value such as -1 may stand in their place.
    """
    known, found = _names(train), _names(table)
    of_its_own = labels == "number" and (len(found) > 1 or len(table.labels) < _MANY_ROWS)
    if known & found or of_its_own:
        return None
    shown = ", ".join(map(repr, sorted(found)[:4])) + (", …" if len(found) > 4 else "")
    return f"({table.files[0][1]!r}) has none of training's labels, but {shown}"


def _names(table: Table, without: Collection[int] = ()) -> set[str]:
    """Return the labels of all files but some; 1.0 is 1, for a program may have written either."""
    found = set[str]()
    for place, labels in enumerate(table.labels_by_file()):
        found |= set() if place in without else set(labels)
    return set(map(without_decimals, found))


def _is_unlabelled(files: Sequence[RowFile], spec: DataSpec) -> bool:
    """Whether a part has texts and no column of labels, as a competition's test part has."""
    labels = [spec.label] if spec.label else LABEL_COLUMNS
    texts = text_columns(spec) or TEXT_COLUMNS
    return all(
        any(has_column(file, name) for name in texts)
        and not any(has_column(file, name) for name in labels)
        for file in files
    )
