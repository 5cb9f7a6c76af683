"""Where the rows of a data set are: files of a known format, a package, or the hub."""

import hashlib
import importlib.util
import os
from dataclasses import dataclass, field
from pathlib import Path

from trainables.data.hub import is_hub_name
from trainables.data.reading.formats import FORMATS, format_of, is_known
from trainables.data.reading.opening import opened
from trainables.data.sources.class_folders import class_files, said_of_classes
from trainables.data.sources.folders import assign, is_hidden, is_text, listed
from trainables.data.spec import PACKAGED, SplitNames
from trainables.errors import DataError

#: More files than that are no data set, or a link that leads round.
_MOST_FILES = 2_000_000


@dataclass(frozen=True)
class Source:
    """The place of a data set's rows: local files, or a data set on the hub.

    Attributes:
        parts: local files of each part; empty for a data set on the hub.
        name: as the study names it.
        only: value of the column ``source`` that usable rows have; None takes all rows.
        folder: where one text is one file, the folder of all; else None.
        revision: commit of a data set on the hub; None for the one in the hub's cache.
        notes: what was done with the files that a person should know.
    """

    parts: dict[str, list[Path]]
    name: str
    only: str | None = None
    folder: Path | None = None
    revision: str | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)

    def digest(self) -> str:
        """Return the SHA-256 over the bytes of all files, by part; of the hub, of the revision.

        The same bytes under other names are the same data, unless a folder's name is a class.
        """
        about = (self.only, self.revision, None if self.parts else self.name)
        digest = hashlib.sha256(repr(about).encode())
        for part, files in sorted(self.parts.items()):
            for path in files:
                kind = path.parent.name if self.folder else format_of(path)
                digest.update(f"{part}/{kind}\0".encode())
                with opened(path) as file:
                    while block := file.read(1 << 20):
                        digest.update(block)
        return digest.hexdigest()


def find_source(
    name: str, revision: str | None = None, split: object = None, needs_train: bool = True
) -> Source:
    """Locate a data set without reading its rows.

    A name that is neither built-in nor local is taken for a data set on the hub; so is one with a
    revision, whatever lies here under that name by now. ``split`` may name the files of each part.
    Whoever only scores texts needs no training part.

    Raises:
        DataError: the package, file or folder is missing, has no known format, or a file's part is
            unknown.
    """
    if name in PACKAGED:
        return _packaged(name)
    if revision is not None:
        return Source({}, name, revision=revision)
    path = Path(name).expanduser()
    if path.is_dir():
        return _folder(path, name, split, needs_train)
    if path.exists():
        if not is_known(path):
            raise DataError(
                f"{name!r}: unknown format {path.suffix!r}; known: {', '.join(FORMATS)}, and .gz "
                "or .zst of those that are text"
            )
        _check_holds_something([path])
        return Source({"train": [path]}, name)
    if not is_hub_name(name):
        raise DataError(
            f"no file or folder {name!r} (looked from {Path.cwd()}): if the data lies elsewhere by "
            "now, name its place with --data"
        )
    return Source({}, name)


def _packaged(name: str) -> Source:
    package, file, only = PACKAGED[name]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise DataError(
            f"data source {name!r} needs the package {package.replace('_', '-')!r}: "
            "pip install 'seqtune[imdb]'"
        )
    return Source({"train": [Path(spec.origin).parent / file]}, name, only)


def _folder(path: Path, name: str, split: object, needs_train: bool) -> Source:
    everything = walk(path)
    seen = [p for p in everything if not is_hidden(p.relative_to(path))]
    hidden = sum(is_known(p) and is_hidden(p.relative_to(path)) for p in everything)
    files = [p for p in seen if is_known(p)]
    texts = [] if files else class_files(path, [p for p in seen if is_text(p)])
    if texts:
        assigned = assign(texts, path, split, hidden, needs_train)
        notes = (*assigned.notes, *said_of_classes(path, texts), *_passed_over(path, seen, texts))
        return Source(assigned.parts, name, folder=path, notes=notes)
    if not files:
        raise DataError(
            f"folder {name!r} holds no {', '.join(FORMATS)} file, and no folders of .txt files"
        )
    kinds = sorted({format_of(p) for p in files})
    if len(kinds) > 1 and not isinstance(split, SplitNames):
        raise DataError(f"folder {name!r} mixes {', '.join(kinds)}: keep one format")
    _check_holds_something(files)
    assigned = assign(files, path, split, hidden, needs_train)
    others = [p for p in seen if not is_known(p)]
    passed = (f"of no known format, so passed over: {listed(others, path)}",) if others else ()
    return Source(assigned.parts, name, notes=(*assigned.notes, *passed))


def _passed_over(folder: Path, seen: list[Path], texts: list[Path]) -> list[str]:
    others = sorted(set(seen) - set(texts))
    if not others:
        return []
    return [f"in no folder of a class, or no .txt, so passed over: {listed(others, folder)}"]


def walk(folder: Path) -> list[Path]:
    """Return all files of a folder, through links; a link that leads nowhere is refused."""
    found: list[Path] = []
    for root, _, names in os.walk(folder, followlinks=True):
        found += [Path(root, name) for name in names]
        if len(found) > _MOST_FILES:
            raise DataError(f"folder {str(folder)!r} holds more than {_MOST_FILES:,} files")
    broken = [path for path in found if not path.exists()]
    if broken:
        raise DataError(f"{str(broken[0])!r} is a link that leads nowhere: mend it or take it out")
    return sorted(found)


def _check_holds_something(files: list[Path]) -> None:
    for path in files:
        with opened(path) as file:
            if not file.read(1):
                raise DataError(f"{str(path)!r} is empty")
