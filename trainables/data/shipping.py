"""Packing and unpacking of a prepared folder, for machines that do not share the driver's disk."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.storage import Cache, new_folder

#: Bytes of each file, by its path relative to the folder.
Parcel = dict[str, NDArray[np.uint8]]


def pack(folder: Path, files: Iterable[str]) -> Parcel:
    """Read these files of a folder into memory."""
    return {name: np.fromfile(folder / name, dtype=np.uint8) for name in files}


def unpack(parcel: Parcel, key: str, cache: Cache) -> Path:
    """Write what was sent of a corpus to this machine's cache and return its folder.

    It stands apart from those that were prepared here, which are whole. Nobody sees a file, or a
    corpus, that is only partly written.

    Raises:
        OSError: the cache cannot be written.
    """
    path = cache.sent(key)
    building = new_folder(path.parent, "arriving-")
    try:
        for name, content in parcel.items():
            (building / name).parent.mkdir(exist_ok=True)
            content.tofile(building / name)
        if not path.exists():
            _move(building, path, set(parcel))
        for name in parcel:  # where the corpus was there already, some vectors may be missing
            (path / name).parent.mkdir(exist_ok=True)
            if not (path / name).exists():
                os.replace(building / name, path / name)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return path


def _move(building: Path, path: Path, files: set[str]) -> None:
    """Rename ``building`` to ``path``; leave ``path`` alone if another trial was first.

    Word vectors lie in a subfolder and may still be missing there, so only the files at the top
    say whether the other trial's corpus is in place.
    """
    try:
        os.replace(building, path)
    except OSError:
        if not all((path / name).exists() for name in files if "/" not in name):
            raise
