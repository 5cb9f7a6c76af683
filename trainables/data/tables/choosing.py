"""Which column is the text, and which the label, where the study names none."""

import re
from collections.abc import Sequence

from trainables.data.reading.cells import Unusable, as_label, as_text
from trainables.data.reading.delimited import Delimited
from trainables.data.reading.rows import RowFile
from trainables.errors import DataError, did_you_mean

#: Customary column names, tried in this order when the study names no column.
TEXT_COLUMNS = ("text", "review", "sentence", "content", "comment", "document", "body", "tweet")
LABEL_COLUMNS = ("label", "labels", "sentiment", "class", "category", "target", "rating", "y")

#: How a column is named that is no setting of a study.
_SETTINGS = {"keep": "--keep"}

#: Rows that are looked at to tell a column of texts.
_SAMPLE = 200

#: A column of texts has so many words a row at least, where another one has more.
_FEW_WORDS = 2.0


def choose_text(file: RowFile, named: str | None) -> str:
    """Return the column of the texts: as named, or the first customary one that holds words.

    Raises:
        DataError: there is none; says what there is, and the remedy.
    """
    if named is not None:
        return _named(file, named, "text")
    present = _customary(file, TEXT_COLUMNS, "text")
    if len(present) == 1:
        return present[0]
    words = {name: _words_a_row(file, name) for name in present}
    wordy = [name for name in present if words[name] >= _FEW_WORDS]
    chosen = wordy[0] if wordy else max(present, key=lambda name: words[name])
    return _said(file, "text", chosen, present)


def choose_label(file: RowFile, named: str | None, files: Sequence[RowFile] = ()) -> str:
    """Return the column of the labels: as named, or the first customary one with two values.

    ``files`` are all of its part: of sorted shards, each may have one value only.

    Raises:
        DataError: there is none; says what there is, and the remedy.
    """
    if named is not None:
        return _named(file, named, "label")
    present = _customary(file, LABEL_COLUMNS, "label")
    if len(present) == 1:
        return present[0]
    chosen = next((name for name in present if _has_two_values(files or [file], name)), present[0])
    return _said(file, "label", chosen, present)


def _said(file: RowFile, role: str, chosen: str, present: Sequence[str]) -> str:
    """Return the chosen column, once it is noted which others might have been meant."""
    others = ", ".join(repr(name) for name in present if name != chosen)
    file.notes.append(
        f"the {role}s are in column {chosen!r}, not in {others}: data.{role} names another"
    )
    return chosen


def choose_group(file: RowFile, named: str) -> str:
    """Return the column of the groups.

    Raises:
        DataError: there is none of that name.
    """
    return _named(file, named, "group")


def choose_kept(file: RowFile, named: str) -> str:
    """Return a column that is to stand beside the texts.

    Raises:
        DataError: there is none of that name.
    """
    return _named(file, named, "keep")


def has_column(file: RowFile, name: str) -> bool:
    """Whether a file has a column, in large or small letters, or an object with cells of it."""
    lower = {one.lower() for one in file.names}
    return name.lower() in lower or name.partition(".")[0] in file.objects()


def _named(file: RowFile, name: str, role: str) -> str:
    if name in file.names or name.partition(".")[0] in file.objects():
        return name
    setting = _SETTINGS.get(role, f"data.{role}")
    raise DataError(
        f"{str(file.path)!r} has no column {name!r} ({setting}); it has: {_shown(file.names)}"
        + ("" if len(file.names) > 20 else f"; {did_you_mean(name, file.names)}")
    )


def _customary(file: RowFile, customary: Sequence[str], role: str) -> list[str]:
    objects = file.objects()
    lower = {name.lower(): name for name in file.names if name not in objects}
    for name in file.names:
        if name != lower.get(name.lower(), name) and name.lower() in customary:
            raise DataError(
                f"{str(file.path)!r} has columns {name!r} and {lower[name.lower()]!r}: name one "
                f"with data.{role}"
            )
    present = [lower[name] for name in customary if name in lower]
    if present:
        return present
    inside = [f"{name}.{key}" for name, keys in objects.items() for key in keys if key in customary]
    if inside:
        remedy = f"write data.{role} = {inside[0]!r}"
    elif isinstance(file, Delimited) and _looks_like_data(file.names):
        remedy = (
            "its first row looks like data: if there is no header, write data.header = false, and "
            f"number the columns from 0: data.{role} = '0'"
        )
    else:
        remedy = f"name it with --set data.{role}=COLUMN"
    raise DataError(
        f"{str(file.path)!r} has no column that looks like the {role}; it has: "
        f"{_shown(file.names)}: {remedy}"
    )


def _shown(names: Sequence[str]) -> str:
    """Return the names of columns, long ones and many of them cut."""
    cut = [name if len(name) <= 40 else f"{name[:40]}…" for name in names[:20]]
    return ", ".join(cut) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _looks_like_data(names: Sequence[str]) -> bool:
    """Whether names of columns are no names: sentences, or numbers."""
    return any(len(name.split()) > 3 or re.fullmatch(r"-?\d+([.,]\d+)?", name) for name in names)


def _words_a_row(file: RowFile, name: str) -> float:
    sample = file.sample(name, _SAMPLE)
    try:
        return sum(len((as_text(cell) or "").split()) for cell in sample) / max(1, len(sample))
    except Unusable:
        return 0.0


def _has_two_values(files: Sequence[RowFile], name: str) -> bool:
    """Whether a column has two values in those of the files that have it."""
    values = set[str | None]()
    for file in files:
        if name not in file.names:
            continue
        (cells,) = file.columns([name])
        try:
            values |= {as_label(cell) for cell in cells} - {None, ""}
        except Unusable:
            return False
        if len(values) > 1:
            return True
    return False
