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
    """What the tokenizer's own normaliser does, before it, at a fifth of the time (0.13 s for
    25,000 reviews); lone surrogates, which no encoder accepts, become question marks."""
    if len(text) > MAX_CHARACTERS:
        half = MAX_CHARACTERS // 2
        text = f"{text[:half]} {text[-half:]}"
    text = text.encode("utf-8", "replace").decode("utf-8")
    # Python lowers a last sigma to another letter than the tokenizer does.
    return unicodedata.normalize("NFC", re.sub(_TAG, " ", text)).replace("Σ", "σ").lower()


def tokenise(
    kind: str, texts: Mapping[str, Sequence[str]], vocabulary: int
) -> tuple[Tokenizer, dict[str, list[Ids]]]:
    """A tokenizer for cleaned text, and every part's cleaned texts as ids of its tokens.

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
    """Word pieces as BERT's were learnt (Schuster & Nakajima 2012).

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
    """A tokenizer that takes "[PAD]" in a text for what it is: a bracket, a word, a bracket."""
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizer
    return tokenizer


def _berts_own(texts: Sequence[str], _: int) -> Tokenizer:
    """BERT's word pieces, renumbered so that padding and the unknown piece come first; all of them,
    whatever the texts."""
    pieces = [piece for piece in bert_pieces() if piece not in SPECIAL]
    vocabulary = {piece: number for number, piece in enumerate([*SPECIAL, *pieces])}
    model = models.WordPiece(vocabulary, unk_token=SPECIAL[UNKNOWN])
    tokenizer = _without_marks(model, pre_tokenizers.BertPreTokenizer())
    tokenizer.normalizer = normalizers.BertNormalizer()
    return tokenizer


def with_normaliser(tokenizer: Tokenizer) -> Tokenizer:
    """The same tokenizer for raw text: what a saved model carries."""
    steps = [normalizers.Replace(Regex(_TAG), " "), normalizers.NFC(), normalizers.Lowercase()]
    own = [tokenizer.normalizer] if tokenizer.normalizer is not None else []
    tokenizer.normalizer = normalizers.Sequence([*steps, *own])
    return tokenizer
