"""The training and the validation part of a corpus as one, to train a chosen model once more."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np

from trainables.data.corpus import Corpus, open_corpus
from trainables.data.part import ARRAYS, Part, stand_in
from trainables.errors import DataError
from trainables.storage import Cache, new_folder

#: Raised when a joined corpus is made differently.
_FORMAT = 3


def join_parts(
    corpus: Corpus, cache: Cache, with_test_texts: bool, vectors: Sequence[str] = ()
) -> Corpus:
    """Return a corpus whose training part is this one's training and validation.

    Its vocabulary and validation part are this one's, and it has no test part. ``vectors`` are
    files of this one's vectors that it is to have too: those of words.
    What reads as a text of the test part does is left out, unless it is wanted: in parts that the
    source brings, texts may read alike that differ in letters.

    Raises:
        DataError: the cache cannot be written.
    """
    recipe = f"{_FORMAT} {corpus.key} train+validation {with_test_texts}"
    path = cache.corpus(hashlib.sha256(recipe.encode()).hexdigest()[:32])
    if (path / "corpus.json").exists():
        _link_vectors(corpus, path, vectors)
        return open_corpus(path)
    try:
        building = new_folder(path.parent, "building-")
        try:
            _write(corpus, building, with_test_texts)
            _link_vectors(corpus, building, vectors)
            os.replace(building, path)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        if not (path / "corpus.json").exists():  # otherwise another process made the same first
            raise DataError(f"cannot write the corpus to {path}: {error.strerror}") from error
    return open_corpus(path)


def _write(corpus: Corpus, folder: Path, with_test_texts: bool) -> None:
    train, validation = corpus.part("train"), corpus.part("validation")
    joined = _together([train, validation])
    if not with_test_texts and corpus.sizes.get("test"):
        joined = _without(joined, corpus.test_prints())
    for name, part in (("train", joined), ("validation", validation)):
        (folder / name).mkdir()
        for array in ARRAYS:
            np.save(folder / name / f"{array}.npy", getattr(part, array), allow_pickle=False)
    shutil.copy(corpus.tokenizer_file, folder / "tokenizer.json")
    about = json.loads((corpus.path / "corpus.json").read_text(encoding="utf-8"))
    about["sizes"] = {"train": len(joined), "validation": len(validation)}
    (folder / "corpus.json").write_text(json.dumps(about, indent=1), encoding="utf-8")


def _together(parts: Sequence[Part]) -> Part:
    lengths = np.concatenate([part.lengths for part in parts])
    return Part(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
        np.concatenate([part.labels for part in parts]),
    )


def _without(part: Part, prints: bytes) -> Part:
    """Return a part less the texts with one of these digests."""
    texts = [part.ids[a:b] for a, b in pairwise(part.offsets)]
    kept = np.flatnonzero(~stand_in(prints, texts))
    if len(kept) == len(part):
        return part
    ids = np.concatenate([texts[row] for row in kept])
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(part.lengths[kept])])
    return Part(ids, offsets, part.labels[kept])


def _link_vectors(corpus: Corpus, folder: Path, names: Sequence[str]) -> None:
    """Let a joined corpus have vectors of the same words: they are large, and not copied."""
    place = folder / "vectors"
    place.mkdir(exist_ok=True)
    for name in names:
        for file in (name, f"{Path(name).stem}.json"):  # and what describes it
            with suppress(FileExistsError):
                (place / file).symlink_to(corpus.vectors_file(file).resolve())
