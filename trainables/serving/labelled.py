"""Labelled texts to score a model by: any file, folder or data set that a study could be over."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.data.spec import DataSpec, whole_path
from trainables.data.splitting.parts import some_rows
from trainables.data.tables.label_names import is_whole_float, name_whole_numbers
from trainables.data.tables.numbers import read_numbers
from trainables.data.tables.read import read_parts
from trainables.data.tables.table import Labels, Table
from trainables.errors import DataError
from trainables.serving.folder import ModelConfig

#: The part that is scored where a source brings several.
_PREFERRED = ("test", "validation", "train")


@dataclass(frozen=True)
class Labelled:
    """Texts with targets.

    Attributes:
        part: the part of the source that they are; None where it has no others.
        notes: what a person should know of how they were read.
    """

    texts: list[str]
    targets_N: NDArray[Any]
    part: str | None
    notes: list[str]


def read_labelled(
    spec: DataSpec, part: str | None, names: Mapping[str, str], config: ModelConfig, cache_dir: Path
) -> Labelled:
    """Read the labelled texts of a source.

    Args:
        spec: where they are, and how they are written.
        part: which part; None for the test part, where the source has one.
        names: the class that each label in the data means, where it is called otherwise.
        config: the model's, whose classes the labels must be.
        cache_dir: where the ``datasets`` library caches what it read.

    Raises:
        DataError: it cannot be read, has no such part, or other labels.
    """
    found = spec.model_copy(update={"source": whole_path(spec.source)})
    kind: Labels = "class" if config.classes else "number"
    read = read_parts(found, cache_dir, kind, needs_train=False)
    there = {*read.parts, *read.left_out}
    chosen = part or next(name for name in _PREFERRED if name in there)
    if chosen in read.left_out:
        others = ", ".join(read.parts)
        remedy = f": name the file of another part, or --part ({others})" if others else ""
        raise DataError(f"{spec.source!r}: {read.left_out[chosen]}{remedy}")
    if chosen not in read.parts:
        raise DataError(f"{spec.source!r} has no part {chosen!r}; it has: {', '.join(read.parts)}")
    table = some_rows(read.parts[chosen], spec) if spec.limit else read.parts[chosen]
    left_out = f"{len(table.left_out)} rows have no text or no label: left out"
    notes = [*read.notes, *dict.fromkeys(table.notes), *([left_out] if table.left_out else [])]
    if config.classes and not any(map(is_whole_float, (*config.classes, *names))):
        named, more = name_whole_numbers({chosen: table})
        table, notes = named[chosen], [*notes, *more]
    targets = _classes(table, names, config) if config.classes else read_numbers(table, spec)
    return Labelled(table.texts, targets, chosen if len(there) > 1 else None, notes)


def _classes(table: Table, names: Mapping[str, str], config: ModelConfig) -> NDArray[np.int64]:
    number_of = {name: number for number, name in enumerate(config.classes)}
    strange = sorted({c for c in names.values() if c not in number_of})
    if strange:
        raise DataError(f"the model has no class {strange[0]!r}; it has: {_shown(config.classes)}")
    meant = [names.get(label, label) for label in table.labels]
    unknown = sorted({label for label in meant if label not in number_of})
    if unknown:
        meaning = " ".join(f"--labels {shlex.quote(f'{label}=CLASS')}" for label in unknown[:20])
        raise DataError(
            f"the data has labels that are no classes of the model ({_shown(config.classes)}): "
            f"{_shown(unknown)}; say which each means: {meaning}"
        )
    idle = sorted(names.keys() - set(table.labels))
    if idle:
        raise DataError(f"--labels {idle[0]}=… has no effect: the data has no such label")
    return np.array([number_of[label] for label in meant], dtype=np.int64)


def _shown(classes: Sequence[str]) -> str:
    return ", ".join(map(repr, classes[:20])) + (" …" if len(classes) > 20 else "")
