"""One file a text, in a folder a class, as the Large Movie Review Dataset (aclImdb) comes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainables.data.reading.opening import opened_text
from trainables.data.reading.rows import Cell, RowFile

SUFFIX = ".txt"


def class_files(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Return the files that lie in a folder of a class: two levels below, or one if none does."""
    depths = {path: len(path.relative_to(folder).parts) for path in files}
    for depth in (3, 2):
        found = [path for path in files if depths[path] == depth]
        if len({path.parent.name for path in found}) > 1:
            return found
    return []


@dataclass(kw_only=True)
class TextFiles(RowFile):
    """The texts of one part; a text's class is the name of its folder."""

    files: list[Path]
    encoding: str | None

    def columns(self, names: Sequence[str]) -> list[list[Cell]]:
        """Read the columns ``text`` and ``label``."""
        cells = {"label": lambda p: p.parent.name, "text": self._text}
        return [[cells[name](path) for path in self.files] for name in names]

    def _text(self, path: Path) -> str:
        with opened_text(path, self.encoding) as file:
            return file.read()
