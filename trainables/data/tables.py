"""Reading of a data set into one table of texts and labels for each part.

Only the columns of texts and labels are read, each as what it must be, so that nothing is made of
``001`` or of the class ``None``. A data set on the hub is read by the ``datasets`` library, whose
version 5 runs no code that it downloads.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainables.data.choosing import (
    LABEL_COLUMNS,
    TEXT_COLUMNS,
    choose_group,
    choose_label,
    choose_text,
    has_column,
)
from trainables.data.reading.cells import Unusable, as_label, as_text
from trainables.data.reading.formats import FORMATS, format_of
from trainables.data.reading.hub_rows import load_hub
from trainables.data.reading.rows import Cell, Dialect, RowFile
from trainables.data.reading.text_files import TextFiles
from trainables.data.sources import Source, find_source
from trainables.data.spec import DataSpec, SplitNames
from trainables.data.splits import PARTS
from trainables.errors import DataError

#: Column of a packaged file that tells one data set in it from another.
_ORIGIN = "source"

#: Rows of a block; what lies together in a file is seldom about more.
BLOCK_ROWS = 100

#: A whole number as pandas writes it where another row has none: 1.0.
_WHOLE = re.compile(r"(-?\d+)\.0+")


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
    """

    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    groups: list[str | None] = field(default_factory=list)
    files: list[tuple[int, str]] = field(default_factory=list)
    left_out: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    columns: str = ""

    def where(self, index: int) -> str:
        """Say where a row comes from."""
        return f"row {self.rows[index]} of {self.files[self._file(index)][1]!r}"

    def blocks(self) -> list[tuple[int, int]]:
        """Return the block of each row: so many rows that follow one another in one file."""
        return [(self._file(i), (row - 1) // BLOCK_ROWS) for i, row in enumerate(self.rows)]

    def _file(self, index: int) -> int:
        return bisect_right(self.files, index, key=lambda file: file[0]) - 1


def read_tables(spec: DataSpec, cache_dir: Path) -> dict[str, Table]:
    """Read all parts of a source.

    A test part without labels, as of a competition, is left out.

    Raises:
        DataError: the source is unreadable or malformed, a column is missing, or no row is usable.
    """
    source = find_source(spec.source, spec.revision, spec.split)
    parts = _by_part(source, _files(source, spec, cache_dir), spec)
    if "train" not in parts:
        raise DataError(
            f"{spec.source!r} has no part 'train'; it has: {', '.join(parts)}. "
            "Name its parts with --set data.split={train=…,validation=…,test=…}"
        )
    tables: dict[str, Table] = {}
    chosen: dict[str, str] = {}
    for part in PARTS:
        if part == "test" and part in parts and _is_unlabelled(parts[part], spec):
            tables["train"].notes.append("the test part has no labels: it is left out")
        elif part in parts:
            tables[part] = _table(parts[part], spec, source.only, chosen)
    tables["train"].notes[:0] = source.notes
    if not tables["train"].texts:
        raise DataError(f"{spec.source!r} has no usable row (text and label, neither blank)")
    for part, table in tables.items():
        if not table.texts:
            tables["train"].notes.append(
                f"the {part} part has no usable row ({len(table.left_out)} without a text or a "
                "label): it is left out"
            )
    return {part: table for part, table in tables.items() if table.texts}


def _by_part(
    source: Source, parts: dict[str, list[RowFile]], spec: DataSpec
) -> dict[str, list[RowFile]]:
    """Return the files by our names of the parts; a study may know those of a hub by others."""
    if not isinstance(spec.split, SplitNames):
        return parts
    names = spec.split.model_dump()
    # Files of a folder were found by the study's names. A hub's own names may be the same three.
    if source.parts and parts.keys() == names.keys():
        return parts
    missing = [name for name in names.values() if name not in parts]
    if missing:
        raise DataError(f"{spec.source!r} has no part {missing[0]!r}; it has: {', '.join(parts)}")
    return {part: parts[name] for part, name in names.items()}


def read_texts(name: str, cache_dir: Path) -> list[str]:
    """Read the texts of all parts of a data set, whatever their labels; leave blank ones out.

    Raises:
        DataError: the data set is unreadable, or no column looks like the text.
    """
    source, spec, texts = find_source(name), DataSpec(source=name), list[str]()
    for files in _files(source, spec, cache_dir).values():
        for file in files:
            (cells,) = file.columns([choose_text(file, None)])
            found = (_converted(as_text, cell, file, row) for row, cell in enumerate(cells, 1))
            texts += [text for text in found if text and text.strip()]
    return texts


def _files(source: Source, spec: DataSpec, cache_dir: Path) -> dict[str, list[RowFile]]:
    """Open the files of each part."""
    if not source.parts:
        return {part: [rows] for part, rows in load_hub(spec, cache_dir).items()}
    if source.folder is not None:
        return {
            part: [TextFiles(source.folder, ["text", "label"], files=files, encoding=spec.encoding)]
            for part, files in source.parts.items()
        }
    dialect = Dialect(spec.encoding, spec.delimiter, spec.quoting, spec.header)
    return {
        part: [FORMATS[format_of(path)](path, dialect) for path in files]
        for part, files in source.parts.items()
    }


def _is_unlabelled(files: Sequence[RowFile], spec: DataSpec) -> bool:
    """Whether a part has texts and no column of labels, as a competition's test part has."""
    labels = [spec.label] if spec.label else LABEL_COLUMNS
    texts = _text_columns(spec) or TEXT_COLUMNS
    return all(
        any(has_column(file, name) for name in texts)
        and not any(has_column(file, name) for name in labels)
        for file in files
    )


def _text_columns(spec: DataSpec) -> tuple[str, ...]:
    if spec.text is None:
        return ()
    return (spec.text,) if isinstance(spec.text, str) else spec.text


def _table(
    files: Sequence[RowFile], spec: DataSpec, only: str | None, chosen: dict[str, str]
) -> Table:
    """Read the files of a part; ``chosen`` are the columns of the files that were read before."""
    table, blank = Table(), 0
    for file in files:
        texts = [choose_text(file, name) for name in _text_columns(spec)]
        texts = texts or [_as_before("text", chosen, file, choose_text)]
        label = choose_label(file, spec.label) if spec.label else None
        label = label or _as_before("label", chosen, file, choose_label)
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
            name = _present(_converted(as_label, raw, file, row), spec.missing)
            if not text or not name:
                table.left_out.append(row)
                continue
            blank += isinstance(raw, str) and raw != name
            table.texts.append(text)
            table.labels.append(name)
            table.rows.append(row)
            if spec.group:
                table.groups.append(_converted(as_label, groups[row - 1], file, row) or None)
        _refuse_swallowed(file, label, table)
        table.notes += dict.fromkeys(file.notes)
    if blank:
        table.notes.append(f"blanks around {blank} labels were taken off")
    _name_whole_numbers(table)
    return table


def _as_before(
    role: str, chosen: dict[str, str], file: RowFile, choose: Callable[[RowFile, None], str]
) -> str:
    """Return the column that was chosen in the first file; where there is none, say which is."""
    before = chosen.get(role)
    if before is not None and before in file.names:
        return before
    name = choose(file, None)
    if before is not None:
        file.notes.append(f"the {role}s of {file.path.name!r} are in column {name!r}")
    chosen.setdefault(role, name)
    return name


def _joined(cells: Sequence[Cell], file: RowFile, row: int, missing: Sequence[str]) -> str | None:
    """Return the text of a row: its cells, line by line; None if all are blank."""
    found = (_present(_converted(as_text, cell, file, row), missing) for cell in cells)
    some = [text for text in found if text and text.strip()]
    return "\n".join(some) or None


def _present(cell: str | None, missing: Sequence[str]) -> str | None:
    return None if cell is None or cell.strip() in missing else cell


def _converted(convert: Any, cell: Cell, file: RowFile, row: int) -> str | None:
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
            raise DataError(
                f"{str(file.path)!r}: row {row} holds {len(inside)} rows: a quote opens a cell "
                "there, and another closes it further down. Double quotes within quoted cells, or, "
                "if quotes are letters, write data.quoting = 'none'"
            )


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True


def _name_whole_numbers(table: Table) -> None:
    """Name labels 1.0 and 2.0 as 1 and 2 if all are written so, as pandas does beside a gap."""
    found = {label: _WHOLE.fullmatch(label) for label in set(table.labels)}
    if found and all(found.values()):
        names = {label: match.group(1) for label, match in found.items() if match}
        table.labels = [names[label] for label in table.labels]
