"""A folder of ours that takes another's place as a whole."""

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from trainables.errors import DataError
from trainables.storage import new_folder


@contextmanager
def replaced_folder(out: Path, ours: Collection[str]) -> Iterator[Path]:
    """Yield a new folder, which becomes ``out`` once it is filled. What was ``out`` is removed, if
    it held nothing but files of our names.

    Raises:
        DataError: something else is in its place, or it cannot be written.
    """
    try:
        stray = find_stray(out, ours)
        if stray is not None:
            raise DataError(f"{stray} is there, and not ours: name another folder with --output")
        building = new_folder(out.parent, f".{out.name}-")
        try:
            yield building
            if out.exists():
                before = building.with_name(f"{building.name}-before")
                out.rename(before)  # the new one is in its place before anything is removed
                building.rename(out)
                shutil.rmtree(before)
            else:
                building.rename(out)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        raise DataError(f"cannot write to {out}: {error.strerror or error}") from error


def find_stray(out: Path, ours: Collection[str]) -> Path | None:
    """Return what stands in the way of a folder of these files, and is not to be removed."""
    if not out.exists():
        return None
    if out.is_symlink() or not out.is_dir():
        return out
    return next((one for one in out.iterdir() if one.name not in ours or not one.is_file()), None)
