"""Texts to learn words from, whether or not they have labels."""

from collections.abc import Iterator
from pathlib import Path

from trainables.data.reading.cells import as_text
from trainables.data.reading.formats import FORMATS, format_of, is_known
from trainables.data.reading.hub_rows import load_hub
from trainables.data.reading.opening import opened_text
from trainables.data.reading.rows import Dialect, RowFile
from trainables.data.sources.folders import is_hidden, is_text, listed, names_of, part_of
from trainables.data.sources.source import Source, find_source, walk
from trainables.data.spec import PACKAGED, DataSpec
from trainables.data.tables.choosing import choose_text
from trainables.data.tables.table import converted
from trainables.errors import DataError

#: A larger share of texts that lie beside folders of texts are texts like those.
_BESIDE = 0.1


def find_texts(name: str) -> Source:
    """Locate all texts of a data set but those of its test part.

    Of a folder these are all files of a known format and all .txt files, with labels or without.
    What lies beside folders of texts is about them, as in aclImdb, unless there is much of it.

    Raises:
        DataError: there is no such source, or the folder holds no texts.
    """
    path = Path(name).expanduser()
    if name in PACKAGED or not path.is_dir():
        found = find_source(name)
        return found if found.parts else Source({}, name, notes=(f"{name}: all splits but test",))
    seen = [p for p in walk(path) if not is_hidden(p.relative_to(path))]
    wanted = [p for p in seen if is_known(p) or is_text(p)]
    test = [p for p in wanted if part_of(_names_of_part(p, path)) == "test"]
    chosen = _without_about(sorted(set(wanted) - set(test)))
    if not chosen:
        raise DataError(
            f"folder {name!r} holds no {', '.join(FORMATS)} or .txt file"
            + (", except those of a test part" if test else "")
        )
    others = sorted(set(seen) - set(chosen) - set(test))
    notes = [f"{name}: {len(chosen)} files of texts are read: {listed(chosen, path)}"]
    notes += [f"{name}: of a test part, so left out: {listed(test, path)}"] if test else []
    notes += [f"{name}: passed over: {listed(others, path)}"] if others else []
    return Source({"train": chosen}, name, notes=tuple(notes))


def read_texts(name: str, cache_dir: Path) -> list[str]:
    """Read the texts that ``find_texts`` finds; leave blank ones out.

    Raises:
        DataError: a file is unreadable, or no column looks like the text.
    """
    source, texts = find_texts(name), list[str]()
    for path in source.parts.get("train", []):
        if is_text(path):
            with opened_text(path, None) as file:
                texts.append(file.read())
    for rows in _row_files(source, cache_dir):
        (cells,) = rows.columns([choose_text(rows, None)])
        texts += [converted(as_text, cell, rows, row) or "" for row, cell in enumerate(cells, 1)]
    return [text for text in texts if text.strip()]


def _row_files(source: Source, cache_dir: Path) -> Iterator[RowFile]:
    if source.parts:
        for path in source.parts["train"]:
            if not is_text(path):
                yield FORMATS[format_of(path)](path, Dialect())
    else:
        for split, rows in load_hub(DataSpec(source=source.name), cache_dir).items():
            if part_of([split]) != "test":
                yield rows


def _names_of_part(path: Path, folder: Path) -> tuple[str, ...]:
    """Return the names that may tell a part; that of a file that is one text says nothing."""
    names = names_of(path, folder)
    return names[:-1] if is_text(path) else names


def _without_about(files: list[Path]) -> list[Path]:
    """Return files less the few .txt that lie beside folders of others."""
    texts = [path for path in files if is_text(path)]
    around = {parent for folder in {path.parent for path in texts} for parent in folder.parents}
    about = {path for path in texts if path.parent in around}
    if len(about) > _BESIDE * len(texts):
        return files
    return [path for path in files if path not in about]
