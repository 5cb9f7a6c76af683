"""BERT (Devlin et al. 2019) as the input of a recurrent network.

Either its table of word pieces serves as static vectors, or its last hidden states serve as frozen
features of every word piece in its context. The features are computed once for all trials. They are
rows of one matrix: two rows of zeros for padding and the unknown token, then one row for each token
of the training and validation texts, cut as they are read. A text over features is a list of row
numbers.

Shapes: V pieces of the vocabulary, E numbers of a vector, M rows of the features, B texts, T tokens
of the longest text.
"""

import json
import logging
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.data.corpus import Corpus
from trainables.data.part import Part, read_lengths
from trainables.data.spec import DataSpec
from trainables.data.text.bert import bert_folder, bert_pieces, bert_version
from trainables.embeddings.base import VectorRequest, VectorSource, WordVectors
from trainables.embeddings.lookup import pick_rows, words_of
from trainables.errors import DataError

Ids = NDArray[np.int32]

#: Name of the embedding's tensor in the model's file.
_TABLE = "embeddings.word_embeddings.weight"
#: Parts with features, in the order of their rows. A search never reads the test part.
_PARTS = ("train", "validation")

#: Rows of zeros before the first token, for the ids of padding and of the unknown token.
_RESERVED = 2

#: Upper bounds on the tokens of one forward pass and of one window. BERT has 512 positions, and
#: [CLS] and [SEP] take two of them.
_PASS_TOKENS, _WINDOW = 8192, 510

#: Prefix of the name of a file that is not complete yet.
_COMPUTING = "computing-"
_STALE_SECONDS = 86_400

_LOGGER = logging.getLogger("seqtune")


class BertTable(WordVectors):
    """BERT's input embedding: one vector for each word piece, whatever its context."""

    def digest(self, request: VectorRequest) -> str:
        """Return the package and its version."""
        return bert_version()

    def read(self, request: VectorRequest) -> NDArray[np.float32]:
        """Return vectors_VE, NaN where a piece has no vector."""
        return bert_vectors(words_of(request.corpus))


class BertFeatures(VectorSource):
    """BERT's last hidden state of every word piece in its context, frozen."""

    def digest(self, request: VectorRequest) -> str:
        """Return the package and its version, and the settings by which texts are cut."""
        return json.dumps([bert_version(), request.data.max_tokens, request.data.keep])

    def write(self, request: VectorRequest, path: Path) -> None:
        """Compute features_ME once for all trials."""
        # A process that was killed may have left a file without its description, and
        # ``write_features`` needs the name to be free.
        path.unlink(missing_ok=True)
        write_features(request.corpus, words_of(request.corpus), request.data, path)


def bert_vectors(pieces: list[str]) -> NDArray[np.float32]:
    """Return vectors_VE of these word pieces from the model's table; NaN where it has no row."""
    from safetensors.numpy import load_file

    table_VE = load_file(bert_folder() / "model.safetensors")[_TABLE]
    return pick_rows(pieces, bert_pieces(), table_VE)


def positions(corpus: Corpus, name: str, max_tokens: int) -> Part:
    """Return a part whose ids are row numbers of the features; its texts are cut already."""
    start = _RESERVED
    for part in map(corpus.part, _PARTS[: _PARTS.index(name)]):
        start += int(read_lengths(part, max_tokens).sum())
    part = corpus.part(name)
    offsets = np.concatenate([[0], np.cumsum(read_lengths(part, max_tokens))])
    ids = np.arange(start, start + offsets[-1], dtype=np.int32)
    return Part(ids, offsets.astype(np.int64), part.labels)


def write_features(corpus: Corpus, words: list[str], data: DataSpec, path: Path) -> None:
    """Compute features_ME (float16) and write them to ``path``, whole or not at all.

    Raises:
        DataError: the disk has no room for them.
    """
    bert = Bert(words)
    rows = sum(int(read_lengths(corpus.part(p), data.max_tokens).sum()) for p in _PARTS)
    _LOGGER.warning(f"note: computing BERT's features of {rows:,} tokens, once for all trials")
    _remove_stale(path.parent)
    # ``tempfile`` would close it to all but this user, and a cache may serve several.
    beside = path.parent / f"{_COMPUTING}{secrets.token_hex(6)}.npy"
    try:
        features_ME = _reserve(beside, rows + _RESERVED, bert.width)
        features_ME[:_RESERVED] = 0
        for part in _PARTS:
            bert.fill(features_ME, _texts(corpus, part, data))
        features_ME.flush()
        with suppress(FileExistsError):  # another process has computed the same meanwhile
            os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _reserve(path: Path, rows: int, width: int) -> Any:
    """Make a file for features, with its room on the disk, and return them mapped.

    Raises:
        DataError: the disk has no room for them.
    """
    try:
        features_ME = np.lib.format.open_memmap(path, "w+", dtype=np.float16, shape=(rows, width))
        # Writing to a mapped file on a full disk ends the process by SIGBUS. The file is sparse by
        # now, and to reserve before it is opened would be lost: that empties it.
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        size = rows * width * 2 >> 20
        raise DataError(f"no room for {size} MB in {path.parent}: {error.strerror}") from error
    return features_ME


def _remove_stale(folder: Path) -> None:
    """Remove what processes that were killed have left; one at work writes every minute."""
    for left in folder.glob(f"{_COMPUTING}*"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                left.unlink()


def _texts(corpus: Corpus, name: str, data: DataSpec) -> Iterator[tuple[Ids, int]]:
    """Yield the texts of a part as they are cut, each with the row of its first token."""
    part, place = corpus.part(name), positions(corpus, name, data.max_tokens)
    first = int(place.ids[0]) if len(place.ids) else 0
    for text in range(len(part)):
        ids = part.ids[part.offsets[text] : part.offsets[text + 1]]
        ids = ids[-data.max_tokens :] if data.keep == "end" else ids[: data.max_tokens]
        yield ids, first + int(place.offsets[text])


class Bert:
    """The model, for word pieces that are numbered as a corpus numbers them: padding and the
    unknown piece first.

    Attributes:
        width: numbers of a feature.
    """

    def __init__(self, words: Sequence[str]) -> None:
        """``words`` are the pieces by their number."""
        berts = {piece: i for i, piece in enumerate(bert_pieces())}
        self._id_of_V = np.array([berts[word] for word in words], dtype=np.int64)
        self._model = _load_model()
        self.width = int(self._model.config.hidden_size)

    def fill(self, features_ME: NDArray[np.float16], texts: Iterable[tuple[Ids, int]]) -> None:
        """Put the features of each text in the rows from the one that it is given with."""
        for some in _passes(_windows(texts)):
            ids = [self._id_of_V[window] for window, _ in some]
            _run(self._model, ids, [rows for _, rows in some], features_ME)

    def features(self, texts: Sequence[Ids]) -> tuple[NDArray[np.float16], list[Ids]]:
        """Return the features of texts, features_ME, and the numbers of each text's rows."""
        starts = _RESERVED + np.cumsum([0, *map(len, texts)])
        features_ME = np.zeros((int(starts[-1]), self.width), dtype=np.float16)
        self.fill(features_ME, zip(texts, starts.tolist()[:-1], strict=True))
        rows = pairwise(starts.tolist())
        return features_ME, [np.arange(a, b, dtype=np.int32) for a, b in rows]


def _load_model() -> Any:
    from transformers import AutoModel
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    return AutoModel.from_pretrained(bert_folder(), local_files_only=True).eval()


#: Token ids of a window, and the rows of their features.
Window = tuple[Ids, slice]


def _windows(texts: Iterable[tuple[Ids, int]]) -> list[Window]:
    """Split texts into windows that BERT can read, shortest first so that passes pad little."""
    found: list[Window] = []
    for ids, first in texts:
        for start in range(0, len(ids), _WINDOW):
            some = ids[start : start + _WINDOW]
            found.append((some, slice(first + start, first + start + len(some))))
    return sorted(found, key=lambda window: len(window[0]))


def _passes(windows: list[Window]) -> list[list[Window]]:
    """Group windows, shortest first, into forward passes of bounded padded size."""
    passes: list[list[Window]] = [[]]
    for window in windows:
        if passes[-1] and (len(passes[-1]) + 1) * len(window[0]) > _PASS_TOKENS:
            passes.append([])
        passes[-1].append(window)
    return [some for some in passes if some]


def _run(
    model: Any, texts: list[NDArray[np.int64]], rows: list[slice], features_ME: NDArray[np.float16]
) -> None:
    """Run one forward pass over texts of BERT's own ids, and store their features.

    Each text is put between [CLS] and [SEP], whose hidden states are dropped.
    """
    import torch

    start, end, pad = (bert_pieces().index(mark) for mark in ("[CLS]", "[SEP]", "[PAD]"))
    width = max(map(len, texts)) + 2
    ids_BT = torch.full((len(texts), width), pad)
    mask_BT = torch.zeros((len(texts), width), dtype=torch.long)
    for row, ids in enumerate(texts):
        ids_BT[row, : len(ids) + 2] = torch.tensor([start, *ids.tolist(), end])
        mask_BT[row, : len(ids) + 2] = 1
    with torch.inference_mode():
        x_BTE: torch.Tensor = model(input_ids=ids_BT, attention_mask=mask_BT).last_hidden_state
    for row, place in enumerate(rows):
        features_ME[place] = x_BTE[row, 1 : 1 + place.stop - place.start].half().numpy()
