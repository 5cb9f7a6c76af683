"""What two parts that the source brings have in common, and one text with two labels."""

from collections.abc import Mapping, Sequence

from trainables.data.spec import DataSpec
from trainables.data.tables.table import Table
from trainables.errors import DataError

#: A larger share of a part that stands in another one as well is refused.
_TOLERATED = 0.1

#: Each part that scores, and one that learns or is chosen by and should know nothing of it.
_APART = (("test", "validation"), ("test", "train"), ("validation", "train"))

_NAMES = {"train": "training", "validation": "validation"}


def apart(tables: Mapping[str, Table], spec: DataSpec) -> tuple[dict[str, Table], list[str]]:
    """Return the tables without rows whose text or group a later part has as well, and notes.

    This comes before the other parts are cut from training, so that they have none of them either.

    Raises:
        DataError: the parts have much in common, and the study does not say that it knows.
    """
    found, notes = dict(tables), list[str]()
    for scoring, other in _APART:
        if scoring not in found or other not in found:
            continue
        one, table = found[scoring], found[other]
        said = f"stand in {_NAMES[other]} as well"
        rows = _shared(one.texts, table.texts, (scoring, other), said, spec, notes)
        table = table.take(rows)
        if spec.group:
            said = f"are of a {spec.group!r} of whom {_NAMES[other]} has others"
            rows = _shared(one.groups, table.groups, (scoring, other), said, spec, notes)
            table = table.take(rows)
        found[other] = table
    return found, notes


def _shared(
    scoring: Sequence[str | None],
    other: Sequence[str | None],
    parts: tuple[str, str],
    said: str,
    spec: DataSpec,
    notes: list[str],
) -> list[int]:
    """Return the rows of another part that share nothing with one that scores; note the rest.

    Raises:
        DataError: they share too much.
    """
    known = set(other) & set(scoring) - {None}
    seen = sum(key in known for key in scoring)
    kept = [row for row, key in enumerate(other) if key not in known]
    if not seen:
        return kept
    said = f"{seen} of {len(scoring)} {parts[0]} texts {said}"
    if spec.overlap == "keep":
        notes.append(f"{said}: its figures flatter")
        return list(range(len(other)))
    name, gone = _NAMES[parts[1]], len(other) - len(kept)
    if seen > _TOLERATED * len(scoring):
        why = "so that its figures would say nothing"
    elif gone > _TOLERATED * len(other):
        why = f"and to take them out would cost {name} {gone} of its {len(other)}"
    else:
        notes.append(f"{said}: {gone} of {len(other)} were taken out of {name}")
        return kept
    raise DataError(
        f"{spec.source!r}: {said}, {why}; part them anew, or, if you know better, write "
        "data.overlap = 'keep'"
    )


def conflicts(texts: Sequence[str], labels: Sequence[object]) -> list[str]:
    """Return a note about texts that have several labels."""
    first: dict[str, object] = {}
    torn = {
        text
        for text, label in zip(texts, labels, strict=True)
        if first.setdefault(text, label) != label
    }
    return [f"{len(torn)} texts have more than one label"] if torn else []
