"""The files of each part of a data set, opened; of one on the hub, its splits.

A data set on the hub is read by the ``datasets`` library, whose version 5 runs no code that it
downloads.
"""

from pathlib import Path

from trainables.data.reading.formats import FORMATS, format_of
from trainables.data.reading.hub_rows import load_hub
from trainables.data.reading.rows import Dialect, RowFile
from trainables.data.reading.text_files import TextFiles
from trainables.data.sources import Source
from trainables.data.spec import DataSpec, SplitNames
from trainables.errors import DataError


def open_parts(source: Source, spec: DataSpec, cache_dir: Path) -> dict[str, list[RowFile]]:
    """Open the files of each part.

    Raises:
        DataError: one cannot be read, or there is no part of a name that the study gives.
    """
    return _by_part(source, _files(source, spec, cache_dir), spec)


def _files(source: Source, spec: DataSpec, cache_dir: Path) -> dict[str, list[RowFile]]:
    """Open the files of each part."""
    if not source.parts:
        return {part: [rows] for part, rows in load_hub(spec, cache_dir).items()}
    if source.folder is not None:
        return {
            part: [TextFiles(source.folder, ["text", "label"], files=files, encoding=spec.encoding)]
            for part, files in source.parts.items()
        }
    dialect = Dialect(spec.encoding, spec.delimiter, spec.quoting, spec.header)
    return {
        part: [FORMATS[format_of(path)](path, dialect) for path in files]
        for part, files in source.parts.items()
    }


def _by_part(
    source: Source, parts: dict[str, list[RowFile]], spec: DataSpec
) -> dict[str, list[RowFile]]:
    """Return the files by our names of the parts; a study may know those of a hub by others."""
    if not isinstance(spec.split, SplitNames):
        return parts
    names = spec.split.model_dump()
    # Files of a folder were found by the study's names. A hub's own names may be the same three.
    if source.parts and parts.keys() == names.keys():
        return parts
    missing = [name for name in names.values() if name not in parts]
    if missing:
        raise DataError(f"{spec.source!r} has no part {missing[0]!r}; it has: {', '.join(parts)}")
    return {part: parts[name] for part, name in names.items()}
