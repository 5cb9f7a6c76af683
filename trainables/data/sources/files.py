"""The files of each part of a data set, opened; of one on the hub, its splits.

A data set on the hub is read by the ``datasets`` library, whose version 5 runs no code that it
downloads.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from trainables.data.part import PARTS
from trainables.data.reading.formats import FORMATS, format_of
from trainables.data.reading.hub_rows import load_hub
from trainables.data.reading.rows import Dialect, RowFile, refuse_unread
from trainables.data.reading.text_files import TextFiles
from trainables.data.sources.folders import part_of
from trainables.data.sources.source import Source
from trainables.data.spec import DataSpec, SplitNames
from trainables.errors import DataError


def open_parts(
    source: Source, spec: DataSpec, cache_dir: Path, needs_train: bool = True
) -> dict[str, list[RowFile]]:
    """Open the files of each part.

    Raises:
        DataError: one cannot be read, or there is no part of a name that the study gives.
    """
    if not source.parts:
        return _splits(load_hub(spec, cache_dir), spec, needs_train)
    found = _files(source, spec)
    # Files of a folder were found by the study's names.
    if isinstance(spec.split, SplitNames) and found.keys() != spec.split.model_dump().keys():
        raise DataError(
            f"{spec.source!r} is one file, and has no part {spec.split.validation!r}: give "
            "data.split as shares"
        )
    return found


def _files(source: Source, spec: DataSpec) -> dict[str, list[RowFile]]:
    """Open the local files of each part."""
    dialect = Dialect(spec.encoding, spec.delimiter, spec.quoting, spec.header)
    kinds = {format_of(path) for files in source.parts.values() for path in files}
    refuse_unread(dialect, kinds, source.name)
    if source.folder is not None:
        return {
            part: [TextFiles(source.folder, ["text", "label"], files=files, encoding=spec.encoding)]
            for part, files in source.parts.items()
        }
    return {
        part: [FORMATS[format_of(path)](path, dialect) for path in files]
        for part, files in source.parts.items()
    }


def _splits(
    splits: Mapping[str, RowFile], spec: DataSpec, needs_train: bool
) -> dict[str, list[RowFile]]:
    """Return the splits of each part: those that the study names, or whose names tell it.

    Raises:
        DataError: there is none of such a name, or several that may be training.
    """
    if isinstance(spec.split, SplitNames):
        names = spec.split.model_dump()
        missing = [name for name in names.values() if name not in splits]
        if missing:
            raise _no_part(spec, missing[0], splits)
        return {part: [splits[name]] for part, name in names.items()}
    told = {name: name if name in PARTS else part_of([name]) for name in splits}
    if len(told) == 1 and None in told.values():
        return {"train": list(splits.values())}
    # Where one is called exactly as a part, others that tell it too are pieces or variants of it.
    of_part = {
        part: [name for name in told if told[name] == part and (name == part or part not in told)]
        for part in PARTS
    }
    used = {name for names in of_part.values() for name in names}
    several = len(of_part["train"]) > 1  # variants, perhaps, and one within another
    if not used or (needs_train and (several or not of_part["train"])):
        raise _no_part(spec, "train", splits)
    notes = [f"{part}: {', '.join(names)}" for part, names in of_part.items() if names]
    passed = [name for name in told if name not in used]
    if passed:
        notes.append(f"passed over: {', '.join(passed)}; data.split names others")
    for rows in splits.values():
        rows.notes += notes if passed or used - {*PARTS} else []
    return {part: [splits[name] for name in names] for part, names in of_part.items() if names}


def _no_part(spec: DataSpec, name: str, there: Iterable[str]) -> DataError:
    return DataError(
        f"{spec.source!r} has no part {name!r}; it has: {', '.join(there)}. "
        "Name its parts with --set data.split={train=…,validation=…,test=…}"
    )
