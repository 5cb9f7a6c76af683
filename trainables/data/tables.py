"""Reading of a data set into one table of texts and raw labels for each part.

Files are read by the ``datasets`` library. Downloaded code is never run: ``datasets`` 5 has remote
code off, and no option turns it on.
"""

import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.data.sources import Source, find_source
from trainables.data.spec import PACKAGED, DataSpec, SplitNames
from trainables.errors import DataError

#: Customary column names, tried in this order when the study names no column.
TEXT_COLUMNS = ("text", "review", "sentence", "content", "comment", "document", "body", "tweet")
LABEL_COLUMNS = ("label", "labels", "sentiment", "class", "category", "target", "rating", "y")

#: Words in the names of files and folders that mark each part.
_PARTS = {
    "test": {"test"},
    "validation": {"validation", "valid", "val", "dev"},
    "train": {"train", "training"},
}


@dataclass(frozen=True)
class Table:
    """The usable rows of one part, in file order.

    Attributes:
        texts: text of each row; never blank.
        labels: raw label of each row.
        left_out: numbers, from 1, of the rows with no text, a blank text, or no label.
    """

    texts: list[str]
    labels: list[str | int | float | bool]
    left_out: tuple[int, ...] = ()


def read_tables(spec: DataSpec, cache_dir: Path) -> dict[str, Table]:
    """Read all parts of a source.

    In a folder, a file belongs to the part that its name, or the name of a folder around it, tells:
    train, validation (or valid, val, dev) or test. A file whose names tell no part is ``train``,
    and so is a single file. ``data.split`` may name the parts instead.

    Raises:
        DataError: the source is unreadable or malformed, a column is missing, or no row is usable.
    """
    source = find_source(spec.source, spec.revision)
    parts = _load(source, spec, cache_dir)
    wanted = ("train", "validation", "test")
    if isinstance(spec.split, SplitNames):
        wanted = (spec.split.train, spec.split.validation, spec.split.test)
    if wanted[0] not in parts:
        raise DataError(
            f"{spec.source!r} has no part {wanted[0]!r}; it has: {', '.join(parts)}. "
            "Name its parts with --set data.split={train=…,validation=…,test=…}"
        )
    tables = {part: _table(parts[part], spec, source.only) for part in wanted if part in parts}
    if not tables[wanted[0]].texts:
        raise DataError(f"{spec.source!r} has no usable row (text and label, neither blank)")
    return {part: table for part, table in tables.items() if table.texts}


def read_texts(name: str, cache_dir: Path) -> list[str]:
    """Read the texts of all parts of a data set, whatever their labels; leave blank ones out.

    Raises:
        DataError: the data set is unreadable, or no column looks like the text.
    """
    source, texts = find_source(name), []
    for rows in _load(source, DataSpec(source=name), cache_dir).values():
        column = _column(None, TEXT_COLUMNS, rows.column_names, "text", name)
        found = (text for text, _ in _pairs(rows, column, column, source.only))
        texts += [text for text in found if isinstance(text, str) and text.strip()]
    return texts


def _load(source: Source, spec: DataSpec, cache_dir: Path) -> dict[str, Any]:
    from datasets import Dataset, DatasetDict, disable_progress_bars, load_dataset
    from datasets import logging as datasets_logging
    from datasets.exceptions import DatasetGenerationError, DatasetNotFoundError

    disable_progress_bars()
    # Each error is raised as a DataError below; ``datasets`` would log it a second time.
    datasets_logging.set_verbosity(datasets_logging.CRITICAL)
    try:
        if source.files:
            loaded = load_dataset(
                source.builder,
                data_files=_data_files(source, spec),
                cache_dir=str(cache_dir),
                **dict(source.options),
            )
        else:
            loaded = load_dataset(
                source.builder, revision=source.revision, cache_dir=str(cache_dir)
            )
    except DatasetNotFoundError as error:
        raise DataError(
            f"data source {spec.source!r} is neither a built-in name "
            f"({', '.join(PACKAGED)}), nor a local path, nor found on the Hugging Face hub"
        ) from error
    except DatasetGenerationError as error:
        cause = error.__cause__ or error
        raise DataError(f"cannot read {spec.source!r}: {_first_line(cause)}") from error
    except (OSError, ValueError) as error:
        if "corresponds to no data" in str(error):
            raise DataError(f"{spec.source!r} has no usable row: it holds a header only") from error
        where = "" if source.files else " (no local file or built-in of that name; hub asked)"
        raise DataError(
            f"cannot read data source {spec.source!r}{where}: {_first_line(error)}"
        ) from error
    assert isinstance(loaded, (Dataset, DatasetDict))
    return dict(loaded) if isinstance(loaded, DatasetDict) else {"train": loaded}


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _data_files(source: Source, spec: DataSpec) -> dict[str, list[str]]:
    files = source.files
    if isinstance(spec.split, SplitNames):
        named = {}
        for part, name in spec.split.model_dump().items():
            named[name] = [_literal(p) for p in files if name in (p.name, *source.names(p))]
            if not named[name]:
                raise DataError(f"{part} part: no file named {name!r} in {spec.source!r}")
        return named
    parts: dict[str, list[str]] = {}
    for path in files:
        part = _part_of(source.names(path)) if len(files) > 1 else "train"
        parts.setdefault(part, []).append(_literal(path))
    return parts if "train" in parts else {"train": [_literal(path) for path in files]}


def _literal(path: Path) -> str:
    """Escape a path; ``datasets`` would take brackets in it for a pattern."""
    return glob.escape(str(path))


def _part_of(names: tuple[str, ...]) -> str:
    """Return the part that the last of these names tells; ``train`` if none tells one.

    The file's own name is the last, so it decides before the folder nearest to it.
    """
    for name in reversed(names):
        words = set(re.split(r"[^a-z]+", name.lower()))
        for part, said in _PARTS.items():
            if words & said:
                return part
    return "train"


def _table(rows: Any, spec: DataSpec, only: str | None) -> Table:
    text = _column(spec.text, TEXT_COLUMNS, rows.column_names, "text", spec.source)
    label = _column(spec.label, LABEL_COLUMNS, rows.column_names, "label", spec.source)
    texts: list[str] = []
    labels: list[str | int | float | bool] = []
    left_out: list[int] = []
    for row, (raw_text, raw_label) in enumerate(_pairs(rows, text, label, only), start=1):
        empty = not isinstance(raw_text, str) or not raw_text.strip()
        # Only NaN differs from itself.
        if empty or raw_label is None or raw_label == "" or raw_label != raw_label:
            left_out.append(row)
        elif isinstance(raw_label, (str, int, float, bool)):
            texts.append(raw_text)
            labels.append(raw_label)
        else:
            raise DataError(
                f"row {row} of {spec.source!r}: its {label!r} is a {type(raw_label).__name__}; "
                "a label is a string or a number"
            )
    return Table(texts, labels, tuple(left_out))


def _pairs(rows: Any, text: str, label: str, only: str | None) -> Iterator[tuple[Any, Any]]:
    table = rows.data
    columns = [table.column(text).to_pylist(), table.column(label).to_pylist()]
    names = getattr(rows.features[label], "names", None)
    if names:  # a ClassLabel of a hub data set: take the names instead of the numbers
        columns[1] = [None if i is None or i < 0 else names[i] for i in columns[1]]
    if only is None:
        return zip(*columns, strict=True)
    keep = table.column("source").to_pylist()
    return ((t, y) for t, y, s in zip(*columns, keep, strict=True) if s == only)


def _column(
    named: str | None, customary: tuple[str, ...], present: list[str], role: str, source: str
) -> str:
    if named is not None:
        if named in present:
            return named
        raise DataError(
            f"{source!r} has no column {named!r} (data.{role}); it has: {', '.join(present)}"
        )
    for name in customary:
        for column in present:
            if column.lower() == name:
                return column
    remedy = f"Name it with --set data.{role}=COLUMN"
    if len(present) == 1 and any(mark in present[0] for mark in ";\t|"):
        remedy = "Is it separated by something other than commas? A .tsv is read by tabs"
    raise DataError(
        f"{source!r} has no column that looks like the {role}; it has: {', '.join(present)}. "
        + remedy
    )
