"""The metrics of a classifier that depend on its classes: names and limits; imports no torch."""

import re
from collections.abc import Mapping

from trainables.core.memory import DataShape

#: With more classes than this, a confusion matrix has too many entries to read as single metrics.
CONFUSION_CLASSES = 5

#: With more classes than this, a ROC curve for each class would take longer than an epoch.
AUC_CLASSES = 100

#: How the name of an entry of a confusion matrix begins.
_CONFUSION = "confusion/"
#: The word between two classes; within a class it has a backslash more before it.
_WORD, _ESCAPED = re.compile(r"(?<!\S)(\\*as)(?!\S)"), re.compile(r"(?<!\S)\\(\\*as)(?!\S)")


def confusion_name(true: str, said: str) -> str:
    """Return the name of an entry, such as ``confusion/good as bad``."""
    return _CONFUSION + " as ".join(_WORD.sub(r"\\\1", name) for name in (true, said))


def confused_classes(name: str) -> tuple[str, str] | None:
    """Return the true and the predicted class of an entry; None for any other metric."""
    if not name.startswith(_CONFUSION):
        return None
    true, _, said = name.removeprefix(_CONFUSION).partition(" as ")
    return _ESCAPED.sub(r"\1", true), _ESCAPED.sub(r"\1", said)


def unreported(shape: DataShape) -> Mapping[str, str]:
    """Return the metrics that are not computed over so many classes, each with the reason."""
    if shape.outputs <= AUC_CLASSES:
        return {}
    return {"val/auc": f"it is computed over at most {AUC_CLASSES} classes, not {shape.outputs}"}
