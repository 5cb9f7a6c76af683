"""Data sets on the Hugging Face hub: which names are theirs, and which revision is read."""

import re
from pathlib import Path

#: Files of a known format end so; no name on the hub does.
FILE_SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".gz", ".zst")

_NAME = re.compile(r"[\w.\-]+(/[\w.\-]+)?")
#: The hub answers within a second; without a network nobody should wait for it.
_SECONDS = 10.0


def means_a_file(name: str) -> bool:
    """Whether a name can only be a local one, whether or not that exists."""
    local = name.startswith((".", "/", "~")) or Path(name).suffix.lower() in FILE_SUFFIXES
    return local or _NAME.fullmatch(name) is None


def is_hub_name(name: str) -> bool:
    """Whether a name that is not built in is looked for on the hub: nothing local is called so."""
    return not means_a_file(name) and not Path(name).exists()


def find_revision(name: str) -> str | None:
    """Return the commit that the hub has now of a data set; None where it cannot be asked.

    Whoever then reads the data set is told why.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

    try:
        found: str | None = HfApi().dataset_info(name, timeout=_SECONDS).sha
    except (httpx.HTTPError, OSError, ValueError):  # no network, offline mode, or no such name
        return None
    return found
