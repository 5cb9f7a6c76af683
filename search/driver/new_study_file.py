"""``seqtune init``: looks at a data set and writes a study file that suits it."""

import re
import shlex
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

from search.errors import SpecError
from search.program import called_as
from search.spec.overrides import data_of, data_settings
from search.spec.template import Found, max_tokens, study_file
from trainables.data.corpus import Corpus, prepare
from trainables.data.preview import histogram, preview
from trainables.data.spec import DataSpec
from trainables.data.tables.numbers import parse_number
from trainables.data.tables.read import read_tables
from trainables.data.tables.table import Table
from trainables.storage import default_cache

#: Labels with more values than this, and numbers all, are numbers to predict.
_MOST_CLASSES = 20


def write_study_file(source: str, settings: tuple[str, ...], output: Path | None) -> list[str]:
    """Write a study file for a data set; return what was found, line by line.

    Raises:
        DataError: the data cannot be learnt from.
        SpecError: the file is there already, or a setting is not of the data.
    """
    given = data_settings(settings)
    spec = data_of(source, settings)
    cache = default_cache()
    table = read_tables(spec, cache.datasets, labels=None)["train"]
    task = _task_for(table, spec)
    corpus = prepare(spec, cache, "class" if task == "text-classification" else "number")
    name = _name_of(source)
    path = output or Path(f"{name}.toml")
    typical = preview(corpus, spec.max_tokens, spec.keep).lengths[2]
    seen = preview(corpus, given.get("max_tokens", max_tokens(typical)), spec.keep)
    said = [
        table.columns,
        _sizes(corpus),
        *_texture(table),
        *seen.lines,
        *(f"note: {note}" for note in corpus.notes),
    ]
    data: dict[str, Any] = {"source": spec.source, **given}
    found = Found(name, task, data, corpus.sizes["train"], typical, said)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(study_file(found))
    except OSError as error:
        raise SpecError(f"cannot write {path}: {error.strerror}; name another --output") from error
    command = shlex.join([*called_as(), "run", str(path)])
    return [*said, *histogram(corpus), f"{path}: search with: {command}"]


def _name_of(source: str) -> str:
    """Return a study's name for a source: its own, without folders and suffixes."""
    stem = Path(source.rstrip("/")).name.split(".")[0]
    return re.sub(r"[^A-Za-z0-9_\-]+", "-", stem).strip("-") or "study"


def _task_for(table: Table, spec: DataSpec) -> str:
    """Return what kind of task labels ask for: numbers of many values are predicted as such."""
    values = set(table.labels)
    try:
        numbers = [parse_number(value, spec) for value in values]
    except ValueError:
        return "text-classification"
    many = len(values) > max(_MOST_CLASSES, len(table.labels) // 20)
    whole = all(number.is_integer() for number in numbers)
    return "text-regression" if many or not whole else "text-classification"


def _texture(table: Table) -> list[str]:
    """Say how many texts are copies, and in which script most of them are."""
    repeated = 1 - len(set(table.texts)) / len(table.texts)
    letters = Counter(
        unicodedata.name(letter, "UNKNOWN").split()[0]
        for text in table.texts[:1000]
        for letter in text[:200]
        if letter.isalpha()
    )
    script = letters.most_common(1)[0][0].capitalize() if letters else "none"
    return [f"{repeated:.1%} of the texts are copies of an earlier one; letters: mostly {script}"]


def _sizes(corpus: Corpus) -> str:
    sizes = ", ".join(f"{count:,} {part}" for part, count in corpus.sizes.items())
    return (
        f"{sizes} texts; {corpus.vocabulary:,} tokens, {corpus.unknown:.1%} of the validation "
        "tokens unknown"
    )
