"""Which files of a folder are read, and into which part; nothing is mixed in or left out unsaid."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path

from trainables.data.reading.formats import format_of
from trainables.data.spec import SplitNames
from trainables.errors import DataError

#: Words in the names of files and folders that mark each part.
_PARTS = {
    "test": {"test", "testing", "holdout"},
    "validation": {"validation", "valid", "val", "dev", "development", "eval", "evaluation"},
    "train": {"train", "training"},
    "unlabelled": {"unsup", "unsupervised", "unlabeled", "unlabelled"},
}


@dataclass(frozen=True)
class Assigned:
    """The files of each part, and what a person should know of it."""

    parts: dict[str, list[Path]]
    notes: tuple[str, ...]


def is_hidden(path: Path) -> bool:
    """Whether a path inside a folder is one that programs keep for themselves, such as copies."""
    return any(part.startswith((".", "__")) for part in path.parts)


def assign(
    files: Sequence[Path], folder: Path, split: object, hidden: int, needs_train: bool = True
) -> Assigned:
    """Give each file to the part that its name tells, or the name of a folder around it.

    Where no name tells a part all are ``train``; where some do, one that does not is refused. The
    study may name the parts instead. A single file is the training part, where one is needed.

    Raises:
        DataError: a file's part is unknown, or the training part is needed, and there is none.
    """
    notes = [f"{hidden} hidden files, such as checkpoint copies, were passed over"] * bool(hidden)
    if isinstance(split, SplitNames):
        return Assigned(_named(files, folder, split), tuple(notes))
    parts: dict[str | None, list[Path]] = {}
    for path in files:
        parts.setdefault(_told(path, folder), []).append(path)
    unknown, unlabelled = parts.pop(None, []), parts.pop("unlabelled", [])
    if len(files) == 1 and needs_train:
        return Assigned({"train": list(files)}, tuple(notes))
    if unlabelled:
        notes.append(f"without labels, so passed over: {listed(unlabelled, folder)}")
    if unknown and not parts:
        if len(unknown) > 1 and not is_text(unknown[0]):
            notes.append(f"all are read as training: {listed(unknown, folder)}")
        return Assigned({"train": unknown}, tuple(notes))
    if unknown:
        raise DataError(
            f"which part of {str(folder)!r} is {unknown[0].relative_to(folder)}? Name it after its "
            "part (train, validation or test), take it out, or name the files of all parts with "
            "--set data.split={train=…,validation=…,test=…}"
        )
    if not parts or (needs_train and "train" not in parts):
        there = [*chain.from_iterable(parts.values())] or unlabelled
        raise DataError(
            f"no file of {str(folder)!r} tells by its name that it is a training part; there are: "
            f"{listed(there, folder)}"
        )
    notes += [f"{part}: {listed(paths, folder)}" for part, paths in parts.items()]
    return Assigned({str(part): paths for part, paths in parts.items()}, tuple(notes))


def is_text(path: Path) -> bool:
    """Whether a file is one text, compressed or not."""
    return format_of(path) == ".txt"


def _told(path: Path, folder: Path) -> str | None:
    """Return the part that a file's names tell.

    The name of a file that is one text says nothing, nor that of its class, which may be ``dev``.
    """
    names = names_of(path, folder)
    if not is_text(path):
        return part_of(names)
    without_class = part_of(names[-2:-1]) == "unlabelled"
    return "unlabelled" if without_class else part_of(names[:-2])


def names_of(path: Path, folder: Path) -> tuple[str, ...]:
    """Return the names that may tell a file's part: folders inside ``folder``, then its own."""
    inside = path.relative_to(folder)
    return (*inside.parts[:-1], inside.name.split(".")[0])


def part_of(names: Sequence[str]) -> str | None:
    """Return the part that the last of these names tells; None if none does.

    The file's own name is the last, so it decides before the folder nearest to it.
    """
    return next((part for part in map(_part_of_name, reversed(names)) if part), None)


@lru_cache(maxsize=4096)  # names of folders recur with each of their files
def _part_of_name(name: str) -> str | None:
    words = _words(name)
    return next((part for part, said in _PARTS.items() if words & said), None)


def _words(name: str) -> set[str]:
    """Return the words of a name in small letters; of ``TrainData``, ``trainset``: ``train``."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    words = re.split(r"[^a-z]+", parted.lower())
    return {re.sub("(set|data)$", "", word) for word in words}


def _named(files: Sequence[Path], folder: Path, split: SplitNames) -> dict[str, list[Path]]:
    parts = {}
    for part, name in split.model_dump().items():
        meant = (path for path in files if name in _names_given(path, folder))
        parts[part] = [path for path in meant if not _is_idle(path, folder)]
        if not parts[part]:
            raise DataError(f"{part} part: no file named {name!r} in {str(folder)!r}")
    return parts


def _is_idle(path: Path, folder: Path) -> bool:
    """Whether a file is one text of those without labels, as those of aclImdb's ``unsup`` are."""
    return is_text(path) and _told(path, folder) == "unlabelled"


def _names_given(path: Path, folder: Path) -> tuple[str, ...]:
    """Return the names by which a study may mean a file; that of a class is none."""
    names = names_of(path, folder)
    return names[:-2] if is_text(path) else (path.name, *names)


def listed(paths: Sequence[Path], folder: Path) -> str:
    """Return the first paths inside a folder, and how many more there are."""
    shown = [str(path.relative_to(folder)) for path in paths[:4]]
    return ", ".join(shown) + (f" and {len(paths) - 4} more" if len(paths) > 4 else "")
