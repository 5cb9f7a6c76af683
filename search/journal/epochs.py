"""The acknowledged epochs of a trial, in columns: as objects, a large study's fill the memory.

What changes seldom, such as the machine, stands once for a stretch of epochs. ``Epochs`` is a
sequence all the same: an ``Epoch`` is made when one is asked for.
"""

import math
from array import array
from binascii import a2b_base64, b2a_base64
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, overload

from search.journal.events import EpochDone
from search.journal.layout import checkpoint_path
from search.spec.objective import Objective
from trainables.attempts.messages import Checkpoint, Numerics

_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Epoch:
    """One acknowledged epoch.

    Attributes:
        value: the study's metric, None if any metric is not finite.
        seconds: time that it took.
    """

    attempt: int
    epoch: int
    value: float | None
    metrics: dict[str, float | None]
    seconds: float
    checkpoint: Checkpoint
    host: str
    numerics: Numerics


class _Stretch(NamedTuple):
    """Epochs from index ``first`` on, which are of one attempt, machine and set of metrics."""

    first: int
    offset: int
    attempt: int
    host: str
    numerics: Numerics
    names: tuple[str, ...]


class _Columns:
    """What is looked at in single trials only."""

    __slots__ = ("digests", "metrics", "seconds")

    def __init__(self) -> None:
        self.seconds, self.metrics = array("d"), array("d")
        self.digests = bytearray()

    def dump(self) -> dict[str, str]:
        return {name: _text(getattr(self, name)) for name in self.__slots__}

    @classmethod
    def load(cls, dumped: dict[str, str]) -> "_Columns":
        made = cls()
        made.seconds.frombytes(a2b_base64(dumped["seconds"]))
        made.metrics.frombytes(a2b_base64(dumped["metrics"]))
        made.digests += a2b_base64(dumped["digests"])
        return made


class Epochs(Sequence[Epoch]):
    """The epochs of one trial, from the first."""

    __slots__ = ("_best", "_columns", "_packed", "_stretches", "_trial", "_values")

    def __init__(self, trial: int, packed: dict[str, str] | None = None) -> None:
        """Hold none yet; or those of a dump, of which ``packed`` are the columns."""
        self._trial = trial
        self._stretches: list[_Stretch] = []
        self._values = array("d")
        self._columns = _Columns() if packed is None else None
        self._packed = packed or {}
        self._best: int | None = None

    def _unpacked(self) -> "_Columns":
        """Return the columns that few readers ask for; as text they wait until one does."""
        if self._columns is None:
            self._columns = _Columns.load(self._packed)
            self._packed = {}
        return self._columns

    def append(self, event: EpochDone, objective: Objective) -> bool:
        """Take the next epoch in; return whether it is better than all before it."""
        last = self._stretches[-1] if self._stretches else None
        host = last.host if event.host is None and last else event.host
        numerics = last.numerics if event.numerics is None and last else event.numerics
        assert host is not None and numerics is not None
        names, columns = tuple(event.metrics), self._unpacked()
        if last is None or (last[2:] != (event.attempt, host, numerics, names)):
            kept = _shared((host, numerics, names))
            offset = len(columns.metrics)
            self._stretches.append(_Stretch(len(self), offset, event.attempt, *kept))
        self._values.append(_filled(event.value))
        columns.seconds.append(event.seconds)
        columns.metrics.extend(map(_filled, event.metrics.values()))
        columns.digests += bytes.fromhex(event.digest)
        return self._weigh(len(self) - 1, objective)

    def revalue(self, objective: Objective) -> None:
        """Value all epochs by another objective."""
        self._best = None
        for index in range(len(self)):
            self._values[index] = _filled(objective.value_of(self._metrics_of(index)))
            self._weigh(index, objective)

    def _weigh(self, index: int, objective: Objective) -> bool:
        """Let an epoch be the best if it is better than the one that was."""
        value = self.value(index)
        if value is None:
            return False
        best = None if self._best is None else self._values[self._best]
        if best is not None and not objective.improves(value, best):
            return False
        self._best = index
        return True

    @property
    def best(self) -> Epoch | None:
        """The epoch with the best finite value, the earliest of equals."""
        return None if self._best is None else self[self._best]

    @property
    def best_number(self) -> int | None:
        """The number of the best epoch, counted from 1."""
        return None if self._best is None else self._best + 1

    @property
    def best_value(self) -> float | None:
        """The value of the best epoch."""
        return None if self._best is None else self._values[self._best]

    def last_finite(self, until: int) -> tuple[int, float] | None:
        """Return the last epoch with a finite value, no later than ``until``, and that value."""
        for index in range(until - 1, -1, -1):
            value = self.value(index)
            if value is not None:
                return index + 1, value
        return None

    def value(self, index: int) -> float | None:
        """Return the value of an epoch, counted from 0."""
        value = self._values[index]
        return None if math.isnan(value) else value

    @property
    def where(self) -> tuple[str, Numerics] | None:
        """The host and the numerics of the last epoch; None before the first."""
        return self._stretches[-1][3:5] if self._stretches else None

    def path(self, index: int) -> str:
        """Return the path of an epoch's checkpoint, relative to the study's folder."""
        return checkpoint_path(self._trial, self._stretch(index).attempt, index + 1)

    def total_seconds(self, count: int | None = None) -> float:
        """Return the time of the first ``count`` epochs, or of all."""
        return sum(self._unpacked().seconds[:count])

    def machines(self) -> set[tuple[str, Numerics]]:
        """Return where they were trained."""
        return {(stretch.host, stretch.numerics) for stretch in self._stretches}

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> Epoch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Epoch]: ...
    def __getitem__(self, index: int | slice) -> Epoch | list[Epoch]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        stretch, columns = self._stretch(number), self._unpacked()
        start = number * _DIGEST_BYTES
        digest = columns.digests[start : start + _DIGEST_BYTES].hex()
        epoch = number + 1
        return Epoch(
            attempt=stretch.attempt,
            epoch=epoch,
            value=self.value(number),
            metrics=self._metrics_of(number),
            seconds=columns.seconds[number],
            checkpoint=Checkpoint.model_construct(
                epoch=epoch, path=self.path(number), digest=digest
            ),
            host=stretch.host,
            numerics=stretch.numerics,
        )

    def _stretch(self, index: int) -> _Stretch:
        if index >= self._stretches[-1].first:
            return self._stretches[-1]
        return self._stretches[bisect_right(self._stretches, index, key=lambda s: s.first) - 1]

    def _metrics_of(self, index: int) -> dict[str, float | None]:
        stretch = self._stretch(index)
        width = len(stretch.names)
        start = stretch.offset + (index - stretch.first) * width
        values = self._unpacked().metrics[start : start + width]
        return {
            name: None if math.isnan(value) else value
            for name, value in zip(stretch.names, values, strict=True)
        }

    def __repr__(self) -> str:
        return f"Epochs({list(self)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Epochs) and self.dump() == other.dump()

    __hash__ = None  # type: ignore[assignment]

    def dump(self) -> dict[str, Any]:
        """Return plain JSON, from which ``load`` makes the same epochs; numbers are base64."""
        return {
            "best": self._best,
            "stretches": [
                [*stretch[:4], stretch.numerics.model_dump(mode="json"), stretch.names]
                for stretch in self._stretches
            ],
            "values": _text(self._values),
            **(self._packed if self._columns is None else self._columns.dump()),
        }

    @classmethod
    def load(cls, trial: int, dumped: dict[str, Any]) -> "Epochs":
        """Return the epochs that were dumped.

        Raises:
            KeyError, TypeError, ValueError: this is no dump.
        """
        made = cls(trial, {name: dumped[name] for name in _Columns.__slots__})
        made._best = dumped["best"]
        for first, offset, attempt, host, numerics, names in dumped["stretches"]:
            kept = _shared((host, _numerics(**numerics), tuple(names)))
            made._stretches.append(_Stretch(first, offset, attempt, *kept))
        made._values.frombytes(a2b_base64(dumped["values"]))
        return made


def _filled(value: float | None) -> float:
    return math.nan if value is None else value


def _text(column: "array[float] | bytearray") -> str:
    return b2a_base64(column, newline=False).decode()


@lru_cache(maxsize=1024)
def _shared(seldom: Any) -> Any:
    """Return one object for all that are equal: ten thousand trials share a few."""
    return seldom


@lru_cache(maxsize=1024)
def _numerics(**fields: Any) -> Numerics:
    return Numerics(**fields)
