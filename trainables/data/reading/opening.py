"""Opens files of text: compressed or not, in whatever encoding they say or are said to have."""

import codecs
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from trainables.errors import DataError

#: Compressions by suffix.
COMPRESSIONS = (".gz", ".zst")

#: Byte order marks, the longest first: UTF-32's begins with UTF-16's.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, decompressed.

    Raises:
        DataError: it cannot be read, or is damaged.
    """
    try:
        if path.suffix.lower() == ".gz":
            with gzip.open(path) as file:
                yield cast(BinaryIO, file)
        elif path.suffix.lower() == ".zst":
            import pyarrow

            with pyarrow.input_stream(str(path), compression="zstd") as stream:
                yield io.BufferedReader(stream)
        else:
            with path.open("rb") as file:
                yield file
    except (OSError, EOFError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise DataError(f"cannot read {str(path)!r}: {cause}") from error


@contextmanager
def opened_text(path: Path, encoding: str | None) -> Iterator[TextIO]:
    """Open a file of text; line ends stay as they are.

    Raises:
        DataError: it is not in the encoding that it should be in.
    """
    with opened(path) as file:
        found = encoding or _marked(path) or "utf-8"
        try:
            codecs.lookup(found)
        except LookupError as error:
            raise DataError(f"data.encoding = {found!r}: Python knows no such encoding") from error
        try:
            # Where lines end by \n, a \r within one is a letter.
            ends = "\n" if _has_newline(path) else ""
            yield io.TextIOWrapper(file, encoding=found, newline=ends)
        except UnicodeDecodeError as error:
            raise _not_in(path, found, error) from error


def _has_newline(path: Path) -> bool:
    with opened(path) as file:
        return b"\n" in file.read(1 << 16)


def _marked(path: Path) -> str | None:
    """Return the encoding that a byte order mark tells."""
    with opened(path) as file:
        begin = file.read(4)
    return next((name for mark, name in _MARKS.items() if begin.startswith(mark)), None)


def _not_in(path: Path, encoding: str, error: UnicodeDecodeError) -> DataError:
    byte = error.object[error.start]
    with opened(path) as file:
        likely = _likely(file.read())
    return DataError(
        f"{str(path)!r} is not {encoding}: it holds the byte 0x{byte:02x} in "
        f"{_around(error)!r}; it looks like {likely}: write data.encoding = {likely!r}"
    )


def _around(error: UnicodeDecodeError) -> str:
    return error.object[max(0, error.start - 10) : error.start + 5].decode("latin-1")


def _likely(content: bytes) -> str:
    """Guess an encoding: where every second byte is zero UTF-16, else a Western one."""
    sample = content[:10_000]
    if sample[1::2].count(0) > len(sample) // 4:
        return "utf-16-le"
    if sample[::2].count(0) > len(sample) // 4:
        return "utf-16-be"
    # Latin-1 has control characters there, which no text holds; Windows has quotes and dashes.
    return "cp1252" if any(0x80 <= byte <= 0x9F for byte in content) else "latin-1"
