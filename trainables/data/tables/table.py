"""The rows of one part of a data set: texts and labels, from the files of that part.

Only the columns of texts and labels are read, each as what it must be, so that nothing is made of
``001`` or of the class ``None``.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from trainables.data.reading.cells import Unusable, as_label, as_text
from trainables.data.reading.rows import Cell, RowFile
from trainables.data.reading.swallowed import swallowed_error
from trainables.data.spec import DataSpec
from trainables.data.tables.choosing import choose_group, choose_label, choose_text
from trainables.errors import DataError

#: Each label is one of a closed set, or a number to predict.
Labels = Literal["class", "number"]

#: Column of a packaged file that tells one data set in it from another.
_ORIGIN = "source"

#: Rows of a block; what lies together in a file is seldom about more.
BLOCK_ROWS = 100


@dataclass
class Table:
    """The usable rows of one part, in file order.

    Attributes:
        texts: text of each row; never blank.
        labels: label of each row, as it is spelt.
        rows: number of each row in its file, from 1.
        groups: group of each row, None where it has none; empty where the study names no column.
        files: the files, each with the index of its first row here.
        left_out: numbers of the rows with no text, a blank text, or no label.
        notes: what was done that a person should know.
        columns: the columns of the first file, and those of texts and labels among them.
        other_labels: the column of the labels of each file, by its place, where that is not the one
            that was chosen first, in training.
    """

    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    groups: list[str | None] = field(default_factory=list)
    files: list[tuple[int, str]] = field(default_factory=list)
    left_out: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    columns: str = ""
    other_labels: dict[int, str] = field(default_factory=dict)

    def where(self, index: int) -> str:
        """Say where a row comes from."""
        return f"row {self.rows[index]} of {self.files[self._file(index)][1]!r}"

    def blocks(self) -> list[tuple[int, int]]:
        """Return the block of each row: so many rows that follow one another in one file."""
        return [(self._file(i), (row - 1) // BLOCK_ROWS) for i, row in enumerate(self.rows)]

    def labels_by_file(self) -> list[list[str]]:
        """Return the labels of each file."""
        starts = [first for first, _ in self.files]
        ends = [*starts[1:], len(self.labels)]
        return [self.labels[a:b] for a, b in zip(starts, ends, strict=True)]

    def take(self, rows: Sequence[int]) -> "Table":
        """Return the table of some of its rows, ascending."""
        if len(rows) == len(self.texts):
            return self
        return replace(
            self,
            texts=[self.texts[i] for i in rows],
            labels=[self.labels[i] for i in rows],
            rows=[self.rows[i] for i in rows],
            groups=[self.groups[i] for i in rows] if self.groups else [],
            files=[(bisect_left(rows, first), name) for first, name in self.files],
        )

    def _file(self, index: int) -> int:
        return bisect_right(self.files, index, key=lambda file: file[0]) - 1


def read_table(
    files: Sequence[RowFile], spec: DataSpec, only: str | None, chosen: dict[str, str]
) -> Table:
    """Read the files of a part; ``chosen`` are the columns of the files that were read before.

    Raises:
        DataError: a file is malformed, or a column is missing.
    """
    table, blank = Table(), 0
    for file in files:
        texts, label = _chosen(file, files, spec, chosen)
        if label.lower() != chosen.setdefault("label", label).lower():
            table.other_labels[len(table.files)] = label
        more = [_ORIGIN if only else label]
        more.append(choose_group(file, spec.group) if spec.group else label)
        *text_cells, label_cells, origins, groups = file.columns([*texts, label, *more])
        table.files.append((len(table.texts), file.path.name))
        roles = f"text from {' and '.join(map(repr, texts))}, label from {label!r}"
        table.columns = table.columns or f"columns: {', '.join(file.names[:20])}; {roles}"
        for row, (cells, raw, origin) in enumerate(
            zip(zip(*text_cells, strict=True), label_cells, origins, strict=True), start=1
        ):
            if only is not None and origin != only:
                continue
            text = _joined(cells, file, row, spec.missing)
            name = _present(converted(as_label, raw, file, row), spec.missing)
            if not text or not name:
                table.left_out.append(row)
                continue
            blank += isinstance(raw, str) and raw != name
            table.texts.append(text)
            table.labels.append(name)
            table.rows.append(row)
            if spec.group:
                table.groups.append(converted(as_label, groups[row - 1], file, row) or None)
        _refuse_swallowed(file, label, table)
        table.notes += dict.fromkeys(file.notes)
    if blank:
        table.notes.append(f"blanks around {blank} labels were taken off")
    return table


def _chosen(
    file: RowFile, files: Sequence[RowFile], spec: DataSpec, chosen: dict[str, str]
) -> tuple[list[str], str]:
    """Return the columns of a file's texts, and that of its labels."""
    texts = [choose_text(file, name) for name in text_columns(spec)]
    texts = texts or [_as_before("text", chosen, file, files)]
    if spec.label:
        return texts, choose_label(file, spec.label)
    return texts, _as_before("label", chosen, file, files)


def _as_before(role: str, chosen: dict[str, str], file: RowFile, files: Sequence[RowFile]) -> str:
    """Return the column that was chosen in the first file; where there is none, say which is."""
    before = chosen.get(role)
    if before is not None and before in file.names:
        return before
    name = choose_text(file, None) if role == "text" else choose_label(file, None, files)
    if before is not None:
        file.notes.append(f"the {role}s of {file.path.name!r} are in column {name!r}")
    chosen.setdefault(role, name)
    return name


def _joined(cells: Sequence[Cell], file: RowFile, row: int, missing: Sequence[str]) -> str | None:
    """Return the text of a row: its cells, line by line; None if all are blank."""
    found = (_present(converted(as_text, cell, file, row), missing) for cell in cells)
    some = [text for text in found if text and text.strip()]
    return "\n".join(some) or None


def _present(cell: str | None, missing: Sequence[str]) -> str | None:
    return None if cell is None or cell.strip() in missing else cell


def converted(convert: Any, cell: Cell, file: RowFile, row: int) -> str | None:
    """Return a cell as a text or a label.

    Raises:
        DataError: it is neither; names the row.
    """
    try:
        found: str | None = convert(cell)
        return found
    except Unusable as error:
        raise DataError(
            f"row {row} of {str(file.path)!r} has {error} where a text or a number should be: "
            "mend the row, or name another column with data.text or data.label"
        ) from error


def _refuse_swallowed(file: RowFile, label: str, table: Table) -> None:
    """Refuse a row with others in it: each of its lines has as many cells, and a known label.

    Raises:
        DataError: names the row.
    """
    known, numbers = Counter(table.labels), all(map(_is_number, table.labels[:1000]))
    for row, inside in file.swallowed:
        found = [cells[label] for cells in inside if label in cells]
        if all(known[one] or (numbers and _is_number(one)) for one in found):
            raise swallowed_error(file.path, row, len(inside))


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True


def text_columns(spec: DataSpec) -> tuple[str, ...]:
    """Return the columns of the texts that a study names."""
    if spec.text is None:
        return ()
    return (spec.text,) if isinstance(spec.text, str) else spec.text
