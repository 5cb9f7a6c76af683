"""From somebody else's vocabulary to a corpus's own. Shapes: V words, E numbers a word."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from trainables.data.corpus import Corpus


def words_of(corpus: Corpus) -> list[str]:
    """Return the vocabulary in the order of its ids."""
    vocabulary = Tokenizer.from_file(str(corpus.tokenizer_file)).get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def pick_rows(
    words: Sequence[str], names: Sequence[str], table: NDArray[np.floating[Any]]
) -> NDArray[np.float32]:
    """Pick vectors_VE of these words from a table with named rows, NaN where it has none."""
    row_of = {name: row for row, name in enumerate(names)}
    result = np.full((len(words), table.shape[1]), np.nan, dtype=np.float32)
    for index, word in enumerate(words):
        row = row_of.get(word)
        if row is not None:
            result[index] = table[row]
    return result
