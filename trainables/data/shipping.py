"""Brings a prepared folder to machines that do not share it."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.storage import Cache

#: Files by their path in the folder, as bytes.
Parcel = dict[str, NDArray[np.uint8]]


def pack(folder: Path, files: Iterable[str]) -> Parcel:
    """Read these files of a folder."""
    return {name: np.fromfile(folder / name, dtype=np.uint8) for name in files}


def unpack(parcel: Parcel, key: str, cache: Cache) -> Path:
    """Put a corpus into this machine's cache, whole or not at all; return its folder.

    Raises:
        OSError: the cache cannot be written.
    """
    path = cache.corpus(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix="arriving-", dir=path.parent))
    try:
        for name, content in parcel.items():
            (building / name).parent.mkdir(exist_ok=True)
            content.tofile(building / name)
        if not path.exists():
            _move(building, path, set(parcel))
        for name in parcel:  # the corpus was there already, and some vectors were not
            (path / name).parent.mkdir(exist_ok=True)
            if not (path / name).exists():
                os.replace(building / name, path / name)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return path


def _move(building: Path, path: Path, files: set[str]) -> None:
    """Put a folder in its place, unless another trial was first with the same one."""
    try:
        os.replace(building, path)
    except OSError:
        if not all((path / name).exists() for name in files if "/" not in name):
            raise
