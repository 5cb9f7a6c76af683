"""Texts as a model reads them: token by token as they were read in training.

Shapes: N tokens of a text.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from trainables.data.text.tokens import UNKNOWN, clean
from trainables.data.text.words import Ids, is_word_splitter, split_words
from trainables.errors import DataError

#: Normalisers that do what ``clean`` does, in front of a tokenizer's own.
_CLEANING = 3


class TextEncoder:
    """Turns texts into token ids, by the tokenizer of a model's folder.

    Attributes:
        vocabulary: the tokens by their number.

    Texts are cleaned and split as a corpus is, several times as fast as the tokenizer itself would.
    """

    def __init__(self, tokenizer: bytes, max_tokens: int, keep: str) -> None:
        """Raise DataError if ``tokenizer`` is none."""
        self._max_tokens, self._keep = max_tokens, keep
        try:
            described = json.loads(tokenizer)
            own = described["normalizer"]["normalizers"][_CLEANING:]
            described["normalizer"] = {"type": "Sequence", "normalizers": own} if own else None
            whole = Tokenizer.from_str(json.dumps(described))
        # The library raises plain Exceptions.
        except Exception as error:
            raise DataError(f"the model's tokenizer cannot be read: {error}") from error
        vocabulary = whole.get_vocab()
        self._name_of = {number: token for token, number in vocabulary.items()}
        self.vocabulary = [self._name_of[number] for number in sorted(self._name_of)]
        self._words = vocabulary if is_word_splitter(described) else None
        self._whole = whole

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """Return ids_N of each text, cut to what the model reads; empty for one without tokens."""
        return [self.cut(ids_N) for ids_N in self.encode_whole(texts)]

    def encode_whole(self, texts: Sequence[str]) -> list[Ids]:
        """Return ids_N of each text."""
        cleaned = [clean(text) for text in texts]
        if self._words is not None:
            return [_numbered(split_words(text), self._words) for text in cleaned]
        encoded = self._whole.encode_batch_fast(cleaned, add_special_tokens=False)
        return [np.array(one.ids, dtype=np.int32) for one in encoded]

    def tokens(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the tokens that ``encode`` numbers: words as they stand, and else as the
        vocabulary has them."""
        if self._words is not None:
            return [list(self.cut(split_words(clean(text)))) for text in texts]
        return [[self._name_of[int(number)] for number in ids_N] for ids_N in self.encode(texts)]

    def cut(self, sequence: Any) -> Any:
        """Return what the model reads of a text's tokens."""
        if self._keep == "end":
            return sequence[-self._max_tokens :]
        return sequence[: self._max_tokens]


def _numbered(words: Sequence[str], vocabulary: Mapping[str, int]) -> Ids:
    ids = (vocabulary.get(word, UNKNOWN) for word in words)
    return np.fromiter(ids, dtype=np.int32, count=len(words))
