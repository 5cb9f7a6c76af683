"""Conversion of texts to token ids, with the ``tokenizers`` library.

Id 0 is padding. Id 1 stands for every token outside the vocabulary.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from trainables.data.text.bert import bert_pieces
from trainables.data.text.words import Ids, index_words, word_splitter

PAD, UNKNOWN = 0, 1
SPECIAL = ["[PAD]", "[UNK]"]

#: Short markup such as ``<br />``, which reviews contain.
_TAG = r"<[^<>]{1,20}>"

#: Combining marks in a row at most, and what parts a longer run (UAX 15, Stream-Safe Text Format).
_MOST_MARKS, _JOINER = 30, "\u034f"

#: Where there may be more: texts of most languages have blanks or ASCII between such letters.
_STRANGE = re.compile(f"[\u0300-\U0010ffff]{{{_MOST_MARKS + 1}}}")

#: Most characters that are read of a text. Of a longer one, half are taken from either end.
MAX_CHARACTERS = 1_000_000


def clean(text: str) -> str:
    """Normalise a text as the tokenizer's own normaliser would, in a fifth of the time.

    25,000 reviews take 0.13 s. Lone surrogates are replaced by question marks, because the
    tokenizer does not accept them.
    """
    if len(text) > MAX_CHARACTERS:
        half = MAX_CHARACTERS // 2
        text = f"{text[:half]} {text[-half:]}"
    text = text.encode("utf-8", "replace").decode("utf-8")
    plain = _parted(re.sub(_TAG, " ", text))
    # At the end of a word Python lowers Σ to ς, but the tokenizer lowers it to σ everywhere.
    return unicodedata.normalize("NFC", plain).replace("Σ", "σ").lower()


def _parted(text: str) -> str:
    """Return a text whose runs of combining marks are no longer than any language has; what is
    longer gets joiners, for the time to sort a run grows with its square."""
    if text.isascii() or not _STRANGE.search(text):
        return text
    return _long_runs().sub(rf"\g<0>{_JOINER}", text)


@cache
def _long_runs() -> re.Pattern[str]:
    """Match so many marks with another behind. No mark is before U+0300 or from U+20000 on; three
    starters fall into marks when they are decomposed."""
    every = map(chr, range(0x300, 0x20000))
    marks = "".join(one for one in every if unicodedata.combining(one)) + "\u0f73\u0f75\u0f81"
    return re.compile(f"[{marks}]{{{_MOST_MARKS}}}(?=[{marks}])")


def tokenise(
    kind: str, texts: Mapping[str, Sequence[str]], vocabulary: int
) -> tuple[Tokenizer, dict[str, list[Ids]]]:
    """Build a tokenizer for cleaned text, and convert the texts of every part to token ids.

    Tokens are the ``vocabulary`` most frequent ``words``, ``characters`` or ``wordpieces`` of
    ``train``. ``bert`` takes BERT's own word pieces, whatever the texts.
    """
    if kind == "words":
        id_of, ids = index_words(texts, SPECIAL, vocabulary)
        words = models.WordLevel(id_of, unk_token=SPECIAL[UNKNOWN])
        return _without_marks(words, word_splitter()), ids
    learn = {"characters": _learn_characters, "wordpieces": _learn_pieces, "bert": _berts_own}
    tokenizer = learn[kind](texts["train"], vocabulary)
    encode = tokenizer.encode_batch_fast
    return tokenizer, {
        part: [np.array(e.ids, dtype=np.int32) for e in encode(some, add_special_tokens=False)]
        for part, some in texts.items()
    }


def _learn_characters(texts: Sequence[str], vocabulary: int) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(unk_token=SPECIAL[UNKNOWN]))
    splitter = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.pre_tokenizer = splitter
    trainer = trainers.WordLevelTrainer(
        vocab_size=vocabulary, special_tokens=SPECIAL, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = models.WordLevel(tokenizer.get_vocab(), unk_token=SPECIAL[UNKNOWN])
    return _without_marks(model, splitter)


def _learn_pieces(texts: Sequence[str], vocabulary: int) -> Tokenizer:
    """Learn word pieces as BERT's were learnt (Schuster & Nakajima 2012).

    Every letter is given to the trainer in sorted order, because the trainer numbers letters that
    it finds itself in an order that changes from process to process. The vocabulary has all of
    them even where that exceeds ``vocabulary``.
    """
    letters = sorted({letter for text in texts for letter in text if not letter.isspace()})
    first = [*SPECIAL, *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = Tokenizer(models.WordPiece(unk_token=SPECIAL[UNKNOWN]))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, special_tokens=first, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = models.WordPiece(tokenizer.get_vocab(), unk_token=SPECIAL[UNKNOWN])
    return _without_marks(model, pre_tokenizers.BertPreTokenizer())


def _without_marks(model: models.Model, pre_tokenizer: pre_tokenizers.PreTokenizer) -> Tokenizer:
    """Build a tokenizer without special tokens, so that "[PAD]" in a text is plain text.

    A trainer registers special tokens with the tokenizer that it trains, so the learnt vocabulary
    is moved to a new tokenizer.
    """
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizer
    return tokenizer


def _berts_own(texts: Sequence[str], _: int) -> Tokenizer:
    """Build a tokenizer of all of BERT's word pieces, whatever the texts.

    The pieces are renumbered so that padding and the unknown piece come first.
    """
    pieces = [piece for piece in bert_pieces() if piece not in SPECIAL]
    vocabulary = {piece: number for number, piece in enumerate([*SPECIAL, *pieces])}
    model = models.WordPiece(vocabulary, unk_token=SPECIAL[UNKNOWN])
    tokenizer = _without_marks(model, pre_tokenizers.BertPreTokenizer())
    tokenizer.normalizer = normalizers.BertNormalizer()
    return tokenizer


def with_normaliser(tokenizer: Tokenizer) -> Tokenizer:
    """Make a tokenizer read raw text, and return it; a corpus is stored with it.

    Its normaliser does what ``clean`` does, but neither cuts very long texts nor parts long runs of
    marks.
    """
    steps = [normalizers.Replace(Regex(_TAG), " "), normalizers.NFC(), normalizers.Lowercase()]
    own = [tokenizer.normalizer] if tokenizer.normalizer is not None else []
    tokenizer.normalizer = normalizers.Sequence([*steps, *own])
    return tokenizer
