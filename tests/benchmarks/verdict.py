"""How every benchmark ends: its figures as one line of JSON, and an exit code that judges them."""

import json
import operator
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

_COMPARE = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True)
class Figure:
    """A value, and what it should be: ``>=6``, ``<=0.5``; None where nothing is asked."""

    value: float
    target: str | None = None

    @property
    def met(self) -> bool:
        if self.target is None:
            return True
        return bool(_COMPARE[self.target[:2]](self.value, float(self.target[2:])))


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median, with the least and the greatest: ``5.2 (5.0 to 5.3)``."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def conclude(name: str, figures: dict[str, Figure], quick: bool) -> int:
    """Prints the last line; returns the exit code. A quick look judges nothing."""
    ok = quick or all(figure.met for figure in figures.values())
    said = {
        key: {"value": round(figure.value, 4), "target": figure.target}
        for key, figure in figures.items()
    }
    print(json.dumps({"name": name, "ok": ok, "figures": said}))
    return 0 if ok else 1
