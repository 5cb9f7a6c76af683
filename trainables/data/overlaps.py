"""The same text in two parts that the source brings, and one text with two labels."""

from collections.abc import Mapping, Sequence

from trainables.data.spec import DataSpec
from trainables.data.splits import PARTS
from trainables.errors import DataError

#: A larger share of an evaluation part that stands in training as well is refused.
_TOLERATED = 0.1


def training_rows(
    texts: Mapping[str, Sequence[str]], spec: DataSpec
) -> tuple[list[int], list[str]]:
    """Return the training rows whose texts stand in no other part, and notes about the rest.

    Raises:
        DataError: much of an evaluation part stands in training, and the study does not say that
            it knows.
    """
    taken, notes = set[str](), list[str]()
    train = set(texts["train"])
    for part in PARTS[1:]:
        seen = sum(text in train for text in texts[part])
        if not seen:
            continue
        said = f"{seen} of {len(texts[part])} {part} texts stand in training as well"
        if spec.overlap == "keep":
            notes.append(f"{said}: its figures flatter")
            continue
        if seen > _TOLERATED * len(texts[part]):
            raise DataError(
                f"{spec.source!r}: {said}, so that its figures would say nothing; part them anew, "
                "or, if you know better, write data.overlap = 'keep'"
            )
        notes.append(f"{said}: they were taken out of training")
        taken |= train & set(texts[part])
    return [i for i, text in enumerate(texts["train"]) if text not in taken], notes


def conflicts(texts: Sequence[str], labels: Sequence[object]) -> list[str]:
    """Return a note about texts that have several labels."""
    first: dict[str, object] = {}
    torn = {
        text
        for text, label in zip(texts, labels, strict=True)
        if first.setdefault(text, label) != label
    }
    return [f"{len(torn)} texts have more than one label"] if torn else []
