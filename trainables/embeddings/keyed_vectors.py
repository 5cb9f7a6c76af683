"""Reads gensim's own .kv files without running anything that stands in them.

A .kv is a pickle, and a pickle may name any function and have it called. Here every name in the
file stands for an inert record, so a file can build lists, dictionaries, strings and records, and
nothing else. Large arrays lie beside it as .npy files, which numpy reads as plain data.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.errors import DataError


class _Record:
    """What a name in the file makes: it keeps what it was given and does nothing."""

    arguments: tuple[Any, ...] = ()
    state: Any = None

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _InertReader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type[_Record]:
        """Return an inert record, whatever is named."""
        return type(name, (_Record,), {})


def arrays_beside(path: Path) -> Path:
    """Return where gensim puts the vectors of a large .kv."""
    return path.with_name(f"{path.name}.vectors.npy")


def read_keyed_vectors(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    """Read the words of a .kv file (gensim 4) and their vectors, word by word.

    Raises:
        DataError: damaged, something else's, or an array that belongs to it is missing.
    """
    try:
        with path.open("rb") as file:
            state = vars(_InertReader(file).load())["state"]
        words = state["index_to_key"]
        if "vectors" in state.get("__numpys", ()):
            vectors = np.load(arrays_beside(path), mmap_mode="r", allow_pickle=False)
        else:
            vectors = _array(state["vectors"])
        if vectors.ndim != 2 or len(words) != len(vectors):
            raise ValueError(f"{len(words)} words and vectors of shape {vectors.shape}")
        if not all(isinstance(word, str) for word in words):
            raise ValueError("a word is no string")
        return words, vectors.astype(np.float32, copy=False)
    except _UNREADABLE as error:
        raise DataError(
            f"{path} is no KeyedVectors as gensim 4 saves them ({error!r}): save them so, or in "
            "word2vec format as .bin or .vec"
        ) from error


#: What a malformed pickle raises in the standard library's reader, or in taking it apart.
_UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
    OverflowError,
    MemoryError,
    pickle.UnpicklingError,
)


def _array(record: _Record) -> NDArray[Any]:
    """Rebuild a small array that is kept in the file itself: numpy's state of version 1."""
    _, shape, kind, fortran, content = record.state
    numbers = np.dtype(kind.arguments[0]).newbyteorder(kind.state[1])
    if numbers.kind != "f":
        raise ValueError(f"vectors of type {numbers}")
    return np.frombuffer(content, numbers).reshape(shape, order="F" if fortran else "C")
