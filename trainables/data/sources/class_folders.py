"""One file a text, in a folder a class: which files are texts, and which folders are classes."""

from collections.abc import Sequence
from pathlib import Path

from trainables.data.sources.folders import listed, part_of
from trainables.errors import DataError

#: A larger share of texts that lie elsewhere than in the folders of classes is refused.
_BESIDE = 0.1


def class_files(folder: Path, texts: Sequence[Path]) -> list[Path]:
    """Return the texts that lie in a folder of a class: all of one depth, the lowest with classes.

    What lies in a folder around those of classes is no text of a class, as in aclImdb; nor is what
    lies in a folder of a part that has no classes.

    Raises:
        DataError: texts lie elsewhere too, or the folders are called like parts.
    """
    depths = {path: len(path.relative_to(folder).parts) for path in texts}
    for depth in sorted(set(depths.values()) - {1}, reverse=True):
        found = [path for path in texts if depths[path] == depth]
        if len({path.parent.name for path in found}) > 1:
            _refuse_elsewhere(folder, found, [path for path in texts if depths[path] != depth])
            _refuse_parts(folder, found)
            return found
    return []


def said_of_classes(folder: Path, texts: Sequence[Path]) -> list[str]:
    """Return a note about several folders around those of classes that tell no part."""
    around = {path.relative_to(folder).parts[:-2] for path in texts}
    if len(around) < 2 or any(part_of(names) for names in around):
        return []
    classes = [repr(name) for name in sorted({path.parent.name for path in texts})]
    return [
        f"the classes are the folders that hold the texts: {', '.join(classes[:4])}"
        + (f" and {len(classes) - 4} more" if len(classes) > 4 else "")
        + "; the folders around them tell nothing"
    ]


def _refuse_elsewhere(folder: Path, found: Sequence[Path], others: Sequence[Path]) -> None:
    # Neither the whole folder nor one of a part may be a class, whatever lies in it.
    others = [p for p in others if p.parent != folder and part_of([p.parent.name]) is None]
    if len(others) > _BESIDE * len(found):
        raise DataError(
            f"the .txt files of {str(folder)!r} lie at several depths: "
            f"{listed([found[0], others[0]], folder)}: put each directly into the "
            "folder of its class, and take out what is no text"
        )


def _refuse_parts(folder: Path, found: Sequence[Path]) -> None:
    names = {path.parent.name for path in found}
    told = {part_of([name]) for name in names}
    above = any(part_of(path.relative_to(folder).parts[:-2]) for path in found)
    if "train" in told and None not in told and not above:
        raise DataError(
            f"the folders of {str(folder)!r} are called like parts ({', '.join(sorted(names))}), "
            "and hold no folders of classes: put the texts of each class into a folder in them"
        )
