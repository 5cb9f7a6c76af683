"""Texts to learn words from, whether or not they have labels."""

from pathlib import Path

from trainables.data.choosing import choose_text
from trainables.data.files import open_parts
from trainables.data.reading.cells import as_text
from trainables.data.sources import find_source
from trainables.data.spec import DataSpec
from trainables.data.table import converted


def read_texts(name: str, cache_dir: Path) -> list[str]:
    """Read the texts of all parts of a data set, whatever their labels; leave blank ones out.

    Raises:
        DataError: the data set is unreadable, or no column looks like the text.
    """
    source, spec, texts = find_source(name), DataSpec(source=name), list[str]()
    for files in open_parts(source, spec, cache_dir).values():
        for file in files:
            (cells,) = file.columns([choose_text(file, None)])
            found = (converted(as_text, cell, file, row) for row, cell in enumerate(cells, 1))
            texts += [text for text in found if text and text.strip()]
    return texts
