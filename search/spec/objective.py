"""A study's objective: a metric, and which of two values of it is better.

No other file compares by ``min`` or ``max``. Ranking, comparing and modelling use the cost of a
value, of which less is better.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from trainables.tasks.declaration import Mode


@dataclass(frozen=True)
class Objective:
    """A metric and its better end."""

    metric: str
    mode: Mode

    def value_of(self, metrics: Mapping[str, float | None]) -> float | None:
        """Return the value of an epoch with these metrics; None if any of them is not finite.

        A network of NaN has an accuracy too, that of the first class.
        """
        return None if None in metrics.values() else metrics.get(self.metric)

    def cost(self, value: float) -> float:
        """Turn a value so that less is better."""
        return -value if self.mode == "max" else value

    def improves(self, value: float, on: float) -> bool:
        """Whether a value is better than another, and not merely as good."""
        return self.cost(value) < self.cost(on)
