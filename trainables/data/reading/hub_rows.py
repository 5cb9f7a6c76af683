"""Rows of a data set on the Hugging Face hub."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.data.reading.rows import Cell, RowFile
from trainables.data.spec import PACKAGED, DataSpec
from trainables.errors import DataError


def load_hub(spec: DataSpec, cache_dir: Path) -> dict[str, RowFile]:
    """Load all parts of a data set.

    Raises:
        DataError: there is none of that name, or it cannot be read.
    """
    from datasets import Dataset, DatasetDict, disable_progress_bars, load_dataset
    from datasets import logging as datasets_logging
    from datasets.exceptions import DatasetGenerationError, DatasetNotFoundError, DatasetsError

    disable_progress_bars()
    # Each error is raised as a DataError below; ``datasets`` would log it a second time.
    datasets_logging.set_verbosity(datasets_logging.CRITICAL)
    try:
        loaded = load_dataset(spec.source, revision=spec.revision, cache_dir=str(cache_dir))
    except DatasetNotFoundError as error:
        raise DataError(
            f"data source {spec.source!r} is neither a built-in name ({', '.join(PACKAGED)}), nor "
            "a local path, nor found on the Hugging Face hub"
        ) from error
    except DatasetGenerationError as error:
        cause = error.__cause__ or error
        raise DataError(f"cannot read {spec.source!r}: {_first_line(cause)}") from error
    except (DatasetsError, RuntimeError, OSError, ValueError) as error:
        raise DataError(
            f"cannot read data source {spec.source!r} (no local file or built-in of that name; hub "
            f"asked): {_first_line(error)}"
        ) from error
    assert isinstance(loaded, (Dataset, DatasetDict))
    parts = dict(loaded) if isinstance(loaded, DatasetDict) else {"train": loaded}
    return {
        part: HubRows(Path(spec.source), list(rows.column_names), rows=rows)
        for part, rows in parts.items()
    }


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@dataclass(kw_only=True)
class HubRows(RowFile):
    """One part of a data set, with the types that it declares."""

    rows: Any

    def columns(self, names: Sequence[str]) -> list[list[Cell]]:
        """Read some columns; a class is its name, and a negative one is missing."""
        found = []
        for name in names:
            cells = self.rows.data.column(name).to_pylist()
            classes = getattr(self.rows.features[name], "names", None)
            if classes:
                cells = [None if i is None or i < 0 else classes[i] for i in cells]
            found.append(cells)
        return found
