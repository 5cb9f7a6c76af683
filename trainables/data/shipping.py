"""Brings a prepared corpus to machines that do not share its folder; the test part stays home."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.data.corpus import ARRAYS, Corpus, corpus_folder

#: Files of a corpus by their path in it, as bytes.
Parcel = dict[str, NDArray[np.uint8]]

_SENT = [
    "corpus.json",
    "tokenizer.json",
    *(f"{part}/{array}.npy" for part in ("train", "validation") for array in ARRAYS),
]


def pack(corpus: Corpus, vectors: Iterable[str]) -> Parcel:
    """What a trial needs of a corpus, and the word vectors of these names."""
    names = _SENT + [str(corpus.vectors_file(v).relative_to(corpus.path)) for v in vectors]
    return {name: np.fromfile(corpus.path / name, dtype=np.uint8) for name in names}


def _move(building: Path, path: Path) -> None:
    """Puts a folder in its place, unless another trial was first with the same one."""
    try:
        os.replace(building, path)
    except OSError:
        if not (path / "corpus.json").exists():
            raise


def unpack(parcel: Parcel, key: str, cache_dir: Path) -> Path:
    """Puts a corpus into this machine's cache, whole or not at all; returns its folder.

    Raises:
        OSError: the cache cannot be written.
    """
    path = corpus_folder(cache_dir, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix="arriving-", dir=path.parent))
    try:
        for name, content in parcel.items():
            (building / name).parent.mkdir(exist_ok=True)
            content.tofile(building / name)
        if not path.exists():
            _move(building, path)
        for name in parcel:  # where the corpus was there already, without some vectors
            (path / name).parent.mkdir(exist_ok=True)
            if not (path / name).exists():
                os.replace(building / name, path / name)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return path
