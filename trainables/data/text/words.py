"""Splitting of texts into words and numbering of the words, in one pass.

Words are split as the Penn Treebank does ("do n't", "movie 's"). The vocabulary of GloVe was made
the same way.

The ``tokenizers`` library matches regular expressions at a fifth of the speed of Python's ``re``.
It also splits twice: to learn the words, and to number them. On ASCII text both split alike, letter
for letter, so ``re`` splits it. Text between two spaces that is not ASCII goes to the library. The
vocabulary has the library's order: by frequency, then by spelling.

Shapes: N words of a text.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex
from tokenizers.pre_tokenizers import PreTokenizer, Split

Ids = NDArray[np.int32]

_WORD = r"\w+(?=n't)|n't|'(?:s|re|ve|ll|d|m)\b|\w+|[^\w\s]"


def word_splitter() -> PreTokenizer:
    """Build the splitter of cleaned text into words, punctuation marks and clitics."""
    return Split(Regex(_WORD), "removed", invert=True)


def is_word_splitter(tokenizer: Mapping[str, Any]) -> bool:
    """Whether a tokenizer, as its file describes it, looks up words that are split so."""
    splitter = tokenizer.get("pre_tokenizer") or {}
    pattern = splitter.get("pattern") or {}
    words = (tokenizer.get("model") or {}).get("type") == "WordLevel"
    return words and pattern == {"Regex": _WORD}


_SPLITTER = word_splitter()
_ASCII_WORD = re.compile(_WORD, re.ASCII)


def split_words(text: str) -> list[str]:
    """Split a text into words.

    No word contains a space, so pieces between spaces can be split on their own.
    """
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
    """Number the most frequent words of ``train``, after the ``special`` tokens.

    There are ``vocabulary`` ids at most, special ones included. A word outside the vocabulary gets
    the last special id. Return the id of each word, and the texts of every part as ids_N.
    """
    # A new word gets the next number when it is first looked up.
    number: defaultdict[str, int] = defaultdict(count().__next__)

    def numbers_N(text: str) -> Ids:
        words = split_words(text)
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
