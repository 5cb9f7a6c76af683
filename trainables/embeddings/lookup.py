"""Look-up of a corpus's words in a foreign vocabulary.

Shapes: V words, E numbers of a vector.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from trainables.data.corpus import Corpus


def words_of(corpus: Corpus) -> list[str]:
    """Return the words of the vocabulary in the order of their ids."""
    vocabulary = Tokenizer.from_file(str(corpus.tokenizer_file)).get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def pick_rows(
    words: Sequence[str], names: Sequence[str], table: NDArray[np.floating[Any]]
) -> NDArray[np.float32]:
    """Return vectors_VE of these words; NaN where the table has no row of that name.

    ``names`` are the names of the rows of ``table``.
    """
    row_of = {name: row for row, name in enumerate(names)}
    result = np.full((len(words), table.shape[1]), np.nan, dtype=np.float32)
    for index, word in enumerate(words):
        row = row_of.get(word)
        if row is not None:
            result[index] = table[row]
    return result
