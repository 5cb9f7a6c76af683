"""Rows of a Parquet file; only the columns that are asked for are read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from trainables.data.reading.rows import Cell, Dialect, RowFile
from trainables.errors import DataError


def read_parquet(path: Path, dialect: Dialect) -> "ParquetRows":
    """Open a file.

    Raises:
        DataError: it is no Parquet file.
    """
    import pyarrow.parquet
    from pyarrow.lib import ArrowException

    try:
        return ParquetRows(path, pyarrow.parquet.read_schema(path).names)
    except (ArrowException, OSError) as error:
        raise DataError(f"cannot read {str(path)!r}: {str(error).splitlines()[0]}") from error


@dataclass
class ParquetRows(RowFile):
    """Columns of one type each."""

    def columns(self, names: Sequence[str]) -> list[list[Cell]]:
        """Read some columns."""
        import pyarrow.parquet
        from pyarrow.lib import ArrowException

        try:
            table = pyarrow.parquet.read_table(self.path, columns=list(dict.fromkeys(names)))
            return [table.column(name).to_pylist() for name in names]
        except (ArrowException, OSError, ValueError, OverflowError) as error:
            raise self._unreadable(error) from error

    def sample(self, name: str, rows: int) -> list[Cell]:
        """Read the first cells of a column, and no others."""
        return [cell for (cell,) in islice(self.stream([name], rows), rows)]

    def stream(self, names: Sequence[str], rows: int) -> Iterator[list[Cell]]:
        """Yield the cells of some columns row by row, so many of them in memory at a time."""
        import pyarrow.parquet
        from pyarrow.lib import ArrowException

        try:
            with pyarrow.parquet.ParquetFile(self.path) as file:
                for batch in file.iter_batches(rows, columns=list(dict.fromkeys(names))):
                    yield from map(
                        list, zip(*(batch.column(name).to_pylist() for name in names), strict=True)
                    )
        except (ArrowException, OSError, ValueError, OverflowError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> DataError:
        return DataError(f"cannot read {str(self.path)!r}: {str(error).splitlines()[0]}")
