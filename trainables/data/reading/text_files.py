"""One file a text, in a folder a class, as the Large Movie Review Dataset (aclImdb) comes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainables.data.reading.opening import opened_text
from trainables.data.reading.rows import Cell, RowFile


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
