"""Reading of a data set into one table of texts and raw labels for each part.

Files are read by the ``datasets`` library. Downloaded code is never run: ``datasets`` 5 has remote
code off, and no option turns it on.
"""

import glob
import hashlib
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

#: pandas options under which only an empty cell is missing. By default it would also take the
#: class ``None`` and the text ``N/A`` for missing cells.
_CELLS = {"keep_default_na": False, "na_values": [""]}

#: Builder of the ``datasets`` library and its options, by file suffix.
BUILDERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".csv": ("csv", _CELLS),
    ".tsv": ("csv", {"sep": "\t", **_CELLS}),
    ".json": ("json", {}),
    ".jsonl": ("json", {}),
    ".parquet": ("parquet", {}),
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


@dataclass(frozen=True)
class Source:
    """The place of a data set's rows: local files, or a data set on the hub.

    Attributes:
        files: local files; empty for a data set on the hub.
        builder: the ``datasets`` builder of the files, or the name of the data set on the hub.
        options: keyword arguments of the builder.
        only: value of the column ``source`` that usable rows have; None takes all rows.
        folder: the folder that the user named, if it was a folder.
    """

    files: tuple[Path, ...]
    builder: str
    options: tuple[tuple[str, Any], ...] = ()
    only: str | None = None
    folder: Path | None = None

    def names(self, path: Path) -> tuple[str, ...]:
        """Return the names that may tell a file's part: its folders, outermost first, and itself.

        Only folders inside the one that the user named count.
        """
        inside = path.relative_to(self.folder).parts[:-1] if self.folder else ()
        return (*inside, path.stem)

    def digest(self) -> str:
        """Return the SHA-256 over names and bytes of all files.

        For a data set on the hub it covers the name only.
        """
        digest = hashlib.sha256(repr((self.builder, self.options, self.only)).encode())
        for path in self.files:
            digest.update("/".join((*self.names(path), path.suffix)).encode() + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()


def find_source(name: str) -> Source:
    """Locate a data set without reading its rows.

    A name that is neither built-in nor local is taken for a data set on the hub.

    Raises:
        DataError: the package, file or folder is missing, or has no known format.
    """
    if name in PACKAGED:
        return _packaged(name)
    path = Path(name).expanduser()
    if path.is_dir():
        files = tuple(sorted(p for p in path.rglob("*") if p.is_file() and p.suffix in BUILDERS))
        if not files:
            raise DataError(f"folder {name!r} holds no {', '.join(BUILDERS)} file")
        return _local(files, name, path)
    if path.exists():
        return _local((path,), name)
    looks_local = path.is_absolute() or name.startswith((".", "~")) or path.suffix in BUILDERS
    if looks_local:
        raise DataError(f"no file or folder {name!r} (looked from {Path.cwd()})")
    return Source((), name)


def _packaged(name: str) -> Source:
    package, file, only = PACKAGED[name]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise DataError(
            f"data source {name!r} needs the package {package.replace('_', '-')!r}: "
            "pip install 'seqtune[imdb]'"
        )
    return Source((Path(spec.origin).parent / file,), "csv", (), only)


def _local(files: tuple[Path, ...], name: str, folder: Path | None = None) -> Source:
    suffixes = {path.suffix for path in files}
    if len(suffixes) > 1:
        raise DataError(f"folder {name!r} mixes {', '.join(sorted(suffixes))}: keep one format")
    suffix = suffixes.pop()
    if suffix not in BUILDERS:
        raise DataError(f"{name!r}: unknown format {suffix!r}; known: {', '.join(BUILDERS)}")
    for path in files:
        try:
            with path.open("rb") as file:
                empty = not file.read(1)
        except OSError as error:
            raise DataError(f"cannot read {str(path)!r}: {error.strerror}") from error
        if empty:
            raise DataError(f"{str(path)!r} is empty")
    builder, options = BUILDERS[suffix]
    return Source(files, builder, tuple(options.items()), folder=folder)


def read_tables(spec: DataSpec, cache_dir: Path) -> dict[str, Table]:
    """Read all parts of a source.

    In a folder, a file belongs to the part that its name, or the name of a folder around it, tells:
    train, validation (or valid, val, dev) or test. A file whose names tell no part is ``train``,
    and so is a single file. ``data.split`` may name the parts instead.

    Raises:
        DataError: the source is unreadable or malformed, a column is missing, or no row is usable.
    """
    source = find_source(spec.source)
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
            loaded = load_dataset(source.builder, cache_dir=str(cache_dir))
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
