"""The training and the validation part of a corpus as one, to train a chosen model once more."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np

from trainables.data.corpus import Corpus, open_corpus
from trainables.data.part import ARRAYS, Part
from trainables.errors import DataError
from trainables.storage import Cache, new_folder

#: Raised when a joined corpus is made differently.
_FORMAT = 1


def join_parts(corpus: Corpus, cache: Cache) -> Corpus:
    """Return a corpus whose training part is this one's training and validation.

    Its vocabulary and vectors are this one's, its validation part too, and it has no test part.

    Raises:
        DataError: the cache cannot be written.
    """
    recipe = f"{_FORMAT} {corpus.key} train+validation"
    path = cache.corpus(hashlib.sha256(recipe.encode()).hexdigest()[:32])
    if (path / "corpus.json").exists():
        return open_corpus(path)
    try:
        building = new_folder(path.parent, "building-")
        try:
            _write(corpus, building)
            os.replace(building, path)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        if not (path / "corpus.json").exists():  # otherwise another process made the same first
            raise DataError(f"cannot write the corpus to {path}: {error.strerror}") from error
    return open_corpus(path)


def _write(corpus: Corpus, folder: Path) -> None:
    train, validation = corpus.part("train"), corpus.part("validation")
    joined = Part(
        np.concatenate([train.ids, validation.ids]),
        np.concatenate([train.offsets, train.offsets[-1] + validation.offsets[1:]]),
        np.concatenate([train.labels, validation.labels]),
    )
    for name, part in (("train", joined), ("validation", validation)):
        (folder / name).mkdir()
        for array in ARRAYS:
            np.save(folder / name / f"{array}.npy", getattr(part, array), allow_pickle=False)
    shutil.copy(corpus.tokenizer_file, folder / "tokenizer.json")
    if (corpus.path / "vectors").is_dir():  # by word, and large: they are not copied
        os.symlink(corpus.path / "vectors", folder / "vectors")
    about = json.loads((corpus.path / "corpus.json").read_text(encoding="utf-8"))
    about["sizes"] = {"train": len(joined), "validation": len(validation)}
    (folder / "corpus.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
