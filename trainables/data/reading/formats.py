"""The formats of files: one line each."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from trainables.data.reading.delimited import read_delimited
from trainables.data.reading.json_rows import read_json
from trainables.data.reading.parquet import read_parquet
from trainables.data.reading.rows import Dialect, RowFile
from trainables.data.suffixes import suffix_of

#: How a file is opened, by its suffix in small letters.
FORMATS: dict[str, Callable[[Path, Dialect], RowFile]] = {
    ".csv": partial(read_delimited, delimiter=","),
    ".tsv": partial(read_delimited, delimiter="\t"),
    ".json": read_json,
    ".jsonl": read_json,
    ".ndjson": read_json,
    ".parquet": read_parquet,
}


def format_of(path: Path) -> str:
    """Return the suffix that tells a file's format, without that of its compression."""
    return suffix_of(path.name)


def is_known(path: Path) -> bool:
    """Whether a file has a format that is read; Parquet is compressed within itself."""
    kind = format_of(path)
    return kind in FORMATS and (kind != ".parquet" or path.suffix.lower() == kind)
