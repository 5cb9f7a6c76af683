"""What the name of a file tells of how it is written."""

from pathlib import Path

#: Of files that are read as they come.
COMPRESSIONS = (".gz", ".zst")

_OF_CELLS = ("delimiter", "quoting", "header")

#: Settings of how a file is written that a format does not have, by its suffix; all of them for
#: Parquet.
UNREAD: dict[str, tuple[str, ...]] = {
    ".parquet": ("encoding", *_OF_CELLS),
    **dict.fromkeys((".json", ".jsonl", ".ndjson", ".txt"), _OF_CELLS),
}


def suffix_of(name: str) -> str:
    """Return the suffix that tells a file's format, in small letters, without its compression's."""
    name = name.lower()
    for compression in COMPRESSIONS:
        name = name.removesuffix(compression)
    return Path(name).suffix
