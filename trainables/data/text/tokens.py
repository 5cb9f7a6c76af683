"""Tokens: how a text becomes ids, with the ``tokenizers`` library.

Id 0 pads, id 1 stands for every token outside the vocabulary.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from trainables.data.text.bert import bert_pieces
from trainables.data.text.words import Ids, index_words, word_splitter

PAD, UNKNOWN = 0, 1
SPECIAL = ["[PAD]", "[UNK]"]

_TAG = r"<[^<>]{1,20}>"


#: Characters of a text that are read; of a longer one, half from either end.
MAX_CHARACTERS = 1_000_000


def clean(text: str) -> str:
    """Normalise a text as the tokenizer's own normaliser would, in a fifth of the time.

    25,000 reviews take 0.13 s. Lone surrogates become question marks, for no encoder accepts them.
    """
    if len(text) > MAX_CHARACTERS:
        half = MAX_CHARACTERS // 2
        text = f"{text[:half]} {text[-half:]}"
    text = text.encode("utf-8", "replace").decode("utf-8")
    # Python lowers a last sigma to another letter than the tokenizer does.
    return unicodedata.normalize("NFC", re.sub(_TAG, " ", text)).replace("Σ", "σ").lower()


def tokenise(
    kind: str, texts: Mapping[str, Sequence[str]], vocabulary: int
) -> tuple[Tokenizer, dict[str, list[Ids]]]:
    """Make a tokenizer for cleaned text, and turn every part's texts into ids of its tokens.

    Tokens are the ``vocabulary`` most frequent ``words``, ``characters`` or ``wordpieces`` of
    ``train``; ``bert`` takes the word pieces of a BERT as they are.
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
    """Learn word pieces as BERT's were (Schuster & Nakajima 2012).

    The letters are given in order, since the trainer numbers those it finds in an order that
    changes from process to process; they are the fewest pieces there can be.
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
    """Make a tokenizer without special tokens: "[PAD]" in a text is a word in brackets."""
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizer
    return tokenizer


def _berts_own(texts: Sequence[str], _: int) -> Tokenizer:
    """Make a tokenizer of all of BERT's word pieces, whatever the texts.

    They are renumbered so that padding and the unknown piece come first.
    """
    pieces = [piece for piece in bert_pieces() if piece not in SPECIAL]
    vocabulary = {piece: number for number, piece in enumerate([*SPECIAL, *pieces])}
    model = models.WordPiece(vocabulary, unk_token=SPECIAL[UNKNOWN])
    tokenizer = _without_marks(model, pre_tokenizers.BertPreTokenizer())
    tokenizer.normalizer = normalizers.BertNormalizer()
    return tokenizer


def with_normaliser(tokenizer: Tokenizer) -> Tokenizer:
    """Return the same tokenizer for raw text, as a saved model carries it."""
    steps = [normalizers.Replace(Regex(_TAG), " "), normalizers.NFC(), normalizers.Lowercase()]
    own = [tokenizer.normalizer] if tokenizer.normalizer is not None else []
    tokenizer.normalizer = normalizers.Sequence([*steps, *own])
    return tokenizer
