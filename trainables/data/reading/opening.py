"""Opens files of text: compressed or not, in whatever encoding they say or are said to have."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from trainables.errors import DataError

#: Byte order marks, the longest first: UTF-32's begins with UTF-16's.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

#: The mark of each encoding that leaves it in the text.
_MARK_OF = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}

#: Western texts have a smaller share of bytes beyond ASCII.
_WESTERN = 0.1


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
    except (OSError, EOFError, zlib.error) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise DataError(f"cannot read {str(path)!r}: {cause}") from error


@contextmanager
def opened_text(path: Path, encoding: str | None) -> Iterator[TextIO]:
    """Open a file of text; line ends stay as they are.

    Raises:
        DataError: it is not in the encoding that it should be in.
    """
    with opened(path) as file:
        found = _encoding_of(path, encoding)
        if found is None:
            _refuse_wide(path)
            found = "utf-8"
        if not _is_known(found):
            raise DataError(f"data.encoding = {found!r}: Python knows no such encoding of text")
        try:
            # Where lines end by \n, a \r within one is a letter.
            ends = "\n" if _has_newline(path) else ""
            yield io.TextIOWrapper(file, encoding=found, newline=ends)
        except UnicodeDecodeError as error:
            raise _not_in(path, found, error) from error
        except UnicodeError as error:
            raise DataError(
                f"{str(path)!r} is not {found}: {error}: try data.encoding = 'utf-16-le'"
            ) from error


def _refuse_wide(path: Path) -> None:
    """Refuse a file of two bytes a letter that does not say so: ASCII in it would pass for UTF-8.

    Raises:
        DataError: names the encoding.
    """
    with opened(path) as file:
        likely = _likely(file.read(1000), "utf-8")
    if likely in ("utf-16-le", "utf-16-be"):
        raise DataError(
            f"{str(path)!r} has a zero in every second byte: write data.encoding = {likely!r}"
        )


def _has_newline(path: Path) -> bool:
    with opened(path) as file:
        return b"\n" in file.read(1 << 16)


def _encoding_of(path: Path, named: str | None) -> str | None:
    with opened(path) as file:
        return encoding_of(named, file.read(4))


def encoding_of(named: str | None, begin: bytes) -> str | None:
    """Return the encoding by which a file is read; None where neither a name nor a mark tells it.

    ``begin`` are its first four bytes. A byte order mark that agrees with the name is no text.
    """
    if named is None:
        return next((name for mark, name in _MARKS.items() if begin.startswith(mark)), None)
    try:
        mark = _MARK_OF.get(codecs.lookup(named).name)
    except LookupError:
        return named
    return _MARKS[mark] if mark and begin.startswith(mark) else named


def _not_in(path: Path, encoding: str, error: UnicodeDecodeError) -> DataError:
    byte = error.object[error.start]
    with opened(path) as file:
        likely = _likely(file.read(1 << 20), encoding)
    remedy = (
        f"it looks like {likely}: write data.encoding = {likely!r}"
        if likely
        else "name its encoding with data.encoding, such as 'cp1251', 'gb18030' or 'shift_jis'"
    )
    return DataError(
        f"{str(path)!r} is not {encoding}: it holds the byte 0x{byte:02x} in "
        f"{_around(error)!r}; {remedy}"
    )


def _is_known(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding)._is_text_encoding
    except LookupError:
        return False


def _around(error: UnicodeDecodeError) -> str:
    return error.object[max(0, error.start - 10) : error.start + 5].decode("latin-1")


def _likely(content: bytes, failed: str) -> str | None:
    """Guess an encoding: UTF-16 where every second byte is zero, a Western one where few bytes are
    beyond ASCII; None where it could be anything."""
    if content[1::2].count(0) > len(content) // 4:
        return "utf-16-le"
    if content[::2].count(0) > len(content) // 4:
        return "utf-16-be"
    if failed != "utf-8":
        with suppress(UnicodeDecodeError):
            content.decode("utf-8")
            return "utf-8"
    beyond = sum(byte >= 0x80 for byte in content)
    if beyond > _WESTERN * len(content):
        return None
    # Latin-1 has control characters there, which no text holds; Windows has quotes and dashes.
    likely = "cp1252" if any(0x80 <= byte <= 0x9F for byte in content) else "latin-1"
    return likely if likely != failed else None
