"""Words of many texts and their numbers, in one pass.

Words are split as the Penn Treebank does ("do n't", "movie 's"), which is also how GloVe's
vocabulary was made.

The ``tokenizers`` library splits by regular expression at a fifth of the speed of Python's own, and
splits twice, to learn the words and to number them. On ASCII the two agree to the letter; what
stands between two spaces and is not ASCII is left to the library. The order of the vocabulary is
the library's: by frequency, then by spelling.

Shapes: N words of a text.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex
from tokenizers.pre_tokenizers import PreTokenizer, Split

Ids = NDArray[np.int32]

_WORD = r"\w+(?=n't)|n't|'(?:s|re|ve|ll|d|m)\b|\w+|[^\w\s]"


def word_splitter() -> PreTokenizer:
    """Make the splitter of cleaned text into words, marks and clitics."""
    return Split(Regex(_WORD), "removed", invert=True)


_SPLITTER = word_splitter()
_ASCII_WORD = re.compile(_WORD, re.ASCII)


def _split(text: str) -> list[str]:
    """Return a text's words; none of them reaches over a space."""
    if text.isascii():
        return _ASCII_WORD.findall(text)
    words: list[str] = []
    for piece in text.split(" "):
        if piece.isascii():
            words += _ASCII_WORD.findall(piece)
        else:
            words += [word for word, _ in _SPLITTER.pre_tokenize_str(piece)]
    return words


def index_words(
    texts: Mapping[str, Sequence[str]], special: Sequence[str], vocabulary: int
) -> tuple[dict[str, int], dict[str, list[Ids]]]:
    """Number the ``vocabulary`` most frequent words of ``train``, behind the ``special`` ones.

    Return the ids by word, and every part's texts as ids_N. A word outside the vocabulary has the
    last special id.
    """
    number: defaultdict[str, int] = defaultdict(count().__next__)

    def numbers_N(text: str) -> Ids:
        words = _split(text)
        return np.fromiter(map(number.__getitem__, words), dtype=np.int32, count=len(words))

    numbered = {part: [numbers_N(text) for text in some] for part, some in texts.items()}
    words = list(number)
    counts = np.bincount(np.concatenate(numbered["train"]), minlength=len(words))
    seen = sorted(np.flatnonzero(counts), key=lambda i: (-counts[i], words[i]))
    kept = seen[: max(0, vocabulary - len(special))]
    id_of = np.full(len(words), len(special) - 1, dtype=np.int32)
    id_of[kept] = np.arange(len(special), len(special) + len(kept))
    names = [*special, *(words[i] for i in kept)]
    return (
        {name: index for index, name in enumerate(names)},
        {part: [id_of[some_N] for some_N in some] for part, some in numbered.items()},
    )
