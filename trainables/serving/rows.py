"""What is said of texts, as a file of rows."""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from trainables.data.csv_writing import csv_writer
from trainables.errors import DataError


class RowWriter(ABC):
    """A file of rows that is there as a whole in the end, or not at all."""

    def __init__(self, path: Path) -> None:
        self.path, self._beside = path, path.with_name(f".{path.name}.{os.getpid()}.writing")

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows, all of the same columns.

        Raises:
            DataError: the disk is full, or the like.
        """
        try:
            self._write(rows)
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> DataError:
        return DataError(f"cannot write {self.path}: {error.strerror or error}")

    @abstractmethod
    def _write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows."""

    @abstractmethod
    def _close(self) -> None:
        """Flush and close what is beside."""

    def __enter__(self) -> "RowWriter":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self._close()
            if kind is None:
                os.replace(self._beside, self.path)
        except OSError as failed:
            if kind is None:  # else something went wrong before, and that is told
                raise self._failure(failed) from failed
        finally:
            self._beside.unlink(missing_ok=True)


class JsonLines(RowWriter):
    """One object a line."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file: IO[str] = self._beside.open("w", encoding="utf-8")

    def _write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            self._file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def _close(self) -> None:
        self._file.close()


class Csv(RowWriter):
    """Cells between commas; of an object, a column a key."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file: IO[str] = self._beside.open("w", encoding="utf-8", newline="")
        self._writer: Any = None

    def _write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in map(plain, rows):
            if self._writer is None:
                self._writer = csv_writer(self._file, list(row))
                self._writer.writeheader()
            self._writer.writerow(row)

    def _close(self) -> None:
        self._file.close()


class Parquet(RowWriter):
    """Typed columns; of an object, a column a key."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._writer: Any = None

    def _write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        import pyarrow
        import pyarrow.parquet

        cells = [flat(row) for row in rows]
        if self._writer is None:
            kinds = {name: _kind(name, value) for name, value in cells[0].items()}
            self._schema = pyarrow.schema(kinds)
            self._writer = pyarrow.parquet.ParquetWriter(str(self._beside), self._schema)
        self._writer.write_table(pyarrow.Table.from_pylist(cells, schema=self._schema))

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _kind(name: str, value: Any) -> Any:
    """Return the type of a column, by its first cell."""
    import pyarrow

    if isinstance(value, list):  # which may be empty at first
        one = pyarrow.struct({"token": pyarrow.string(), "gain": pyarrow.float64()})
        return pyarrow.list_(one)
    return pyarrow.float64() if isinstance(value, float) else pyarrow.string()


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as cells of text: a list is JSON."""
    return {
        name: json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
        for name, value in flat(row).items()
    }


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row in which each key of an object is a column: ``probabilities.good``."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{key}": one for key, one in value.items()}
        else:
            found[name] = value
    return found


_WRITERS: dict[str, type[RowWriter]] = {".jsonl": JsonLines, ".csv": Csv, ".parquet": Parquet}


def writer_of(path: Path) -> RowWriter:
    """Return what writes a file, by its suffix.

    Raises:
        DataError: none does, or its folder cannot be written.
    """
    made = _WRITERS.get(path.suffix.lower())
    if made is None:
        raise DataError(f"--output {path}: its suffix must be one of {', '.join(_WRITERS)}")
    if path.is_dir():
        raise DataError(f"cannot write {path}: it is a folder")
    if not path.parent.is_dir():
        raise DataError(f"cannot write {path}: there is no folder {path.parent}")
    try:
        return made(path)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from error
