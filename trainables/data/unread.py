"""Settings of how a file is written that its format does not have."""

_OF_CELLS = ("delimiter", "quoting", "header")

#: By the suffix of a format; all of them for Parquet.
UNREAD: dict[str, tuple[str, ...]] = {
    ".parquet": ("encoding", *_OF_CELLS),
    **dict.fromkeys((".json", ".jsonl", ".ndjson", ".txt"), _OF_CELLS),
}
