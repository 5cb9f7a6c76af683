"""Reading of gensim's own .kv files without running any code that they name.

A .kv file is a pickle, and a pickle may name any function and have it called. Here every name in
the file stands for an inert record, so a file can build lists, dictionaries, strings and records,
and nothing else. Large arrays lie beside the file as .npy files, which NumPy reads as plain data.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.errors import DataError


class _Record:
    """Stand-in for every class or function that the file names.

    It keeps its arguments and its state, and does nothing.
    """

    arguments: tuple[Any, ...] = ()
    state: Any = None

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _InertReader(pickle.Unpickler):
    """An unpickler that imports nothing."""

    def find_class(self, module: str, name: str) -> type[_Record]:
        """Return an inert record, whatever name is looked up."""
        return type(name, (_Record,), {})


def arrays_beside(path: Path) -> Path:
    """Return the path at which gensim stores the vectors of a large .kv file."""
    return path.with_name(f"{path.name}.vectors.npy")


def read_keyed_vectors(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    """Read the words of a .kv file (gensim 4), and the table with a row for each word.

    Raises:
        DataError: the file is damaged or of another kind, or an array that belongs to it is
            missing.
    """
    try:
        with path.open("rb") as file:
            state = vars(_InertReader(file).load())["state"]
        words = state["index_to_key"]
        if "vectors" in state.get("__numpys", ()):  # gensim's list of arrays stored beside the file
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


#: Exceptions that a malformed pickle raises, in the standard library's reader or when the result
#: is taken apart.
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
    """Rebuild a small array that is stored in the file itself."""
    # The state that ndarray.__reduce__ gives: version, shape, dtype, Fortran order, bytes. The
    # state of a dtype has its byte order in second place.
    _, shape, kind, fortran, content = record.state
    numbers = np.dtype(kind.arguments[0]).newbyteorder(kind.state[1])
    if numbers.kind != "f":
        raise ValueError(f"vectors of type {numbers}")
    return np.frombuffer(content, numbers).reshape(shape, order="F" if fortran else "C")
