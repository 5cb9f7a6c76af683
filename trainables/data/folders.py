"""Which files of a folder are read, and into which part; nothing is mixed in or left out unsaid."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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


def assign(files: Sequence[Path], folder: Path, split: object, hidden: int) -> Assigned:
    """Give each file to the part that its name tells, or the name of a folder around it.

    Where no name tells a part all are ``train``; where some do, one that does not is refused. The
    study may name the parts instead.

    Raises:
        DataError: a file's part is unknown, or there is no training part.
    """
    notes = (
        [f"{hidden} hidden files, such as checkpoint copies, were passed over"] if hidden else []
    )
    if isinstance(split, SplitNames):
        return Assigned(_named(files, folder, split), tuple(notes))
    parts: dict[str, list[Path]] = {}
    unknown = []
    for path in files:
        names = names_of(path, folder)
        # The name of a file that is one text says nothing.
        part = part_of(names[:-1] if path.suffix.lower() == ".txt" else names)
        if part is None:
            unknown.append(path)
        else:
            parts.setdefault(part, []).append(path)
    unlabelled = parts.pop("unlabelled", [])
    if unlabelled:
        notes.append(f"without labels, so passed over: {_listed(unlabelled, folder)}")
    if (not parts and unknown) or len(files) == 1:
        return Assigned({"train": unknown or list(files)}, tuple(notes))
    if unknown:
        raise DataError(
            f"which part of {str(folder)!r} is {unknown[0].relative_to(folder)}? Name it after its "
            "part (train, validation or test), take it out, or name the files of all parts with "
            "--set data.split={train=…,validation=…,test=…}"
        )
    if "train" not in parts:
        raise DataError(
            f"no file of {str(folder)!r} tells by its name that it is a training part; there are: "
            f"{_listed([path for some in parts.values() for path in some], folder)}"
        )
    notes += [f"{part}: {_listed(paths, folder)}" for part, paths in parts.items()]
    return Assigned(parts, tuple(notes))


def names_of(path: Path, folder: Path) -> tuple[str, ...]:
    """Return the names that may tell a file's part: folders inside ``folder``, then its own."""
    inside = path.relative_to(folder)
    return (*inside.parts[:-1], inside.name.split(".")[0])


def part_of(names: Sequence[str]) -> str | None:
    """Return the part that the last of these names tells; None if none does.

    The file's own name is the last, so it decides before the folder nearest to it.
    """
    for name in reversed(names):
        words = set(re.split(r"[^a-z]+", name.lower()))
        for part, said in _PARTS.items():
            if words & said:
                return part
    return None


def _named(files: Sequence[Path], folder: Path, split: SplitNames) -> dict[str, list[Path]]:
    parts = {}
    for part, name in split.model_dump().items():
        parts[part] = [p for p in files if name in (p.name, *names_of(p, folder))]
        if not parts[part]:
            raise DataError(f"{part} part: no file named {name!r} in {str(folder)!r}")
    return parts


def _listed(paths: Sequence[Path], folder: Path) -> str:
    shown = [str(path.relative_to(folder)) for path in paths[:4]]
    return ", ".join(shown) + (f" and {len(paths) - 4} more" if len(paths) > 4 else "")
