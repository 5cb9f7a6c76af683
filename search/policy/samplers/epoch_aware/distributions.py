"""Optuna's distributions as axes."""

from collections.abc import Mapping, Sequence

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial

from search.policy.surrogate.axes import Axes, Axis, choice


def axes_of(space: Mapping[str, BaseDistribution]) -> Axes:
    """Return the axes of a space of Optuna's."""
    return Axes({name: axis_of(distribution) for name, distribution in space.items()})


def axis_of(distribution: BaseDistribution) -> Axis:
    """Return the axis of one of Optuna's distributions."""
    if isinstance(distribution, CategoricalDistribution):
        return choice(distribution.choices)
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    return Axis(
        low=float(distribution.low),
        high=float(distribution.high),
        step=None if distribution.log or distribution.step is None else float(distribution.step),
        log=distribution.log,
        whole=isinstance(distribution, IntDistribution),
    )


class Spaces:
    """Joins the distributions of trials; those that are the same objects are looked at once."""

    def __init__(self) -> None:
        self._seen: tuple[list[FrozenTrial], dict[str, BaseDistribution]] = ([], {})

    def join(self, trials: Sequence[FrozenTrial]) -> dict[str, BaseDistribution]:
        """Return the distribution over all values of each parameter that some trial had."""
        seen, before = self._seen
        changed = [now for now, known in zip(trials, seen, strict=False) if now is not known]
        space = dict(before)
        _add(space, changed)
        # Which came first counts, and what is no more does not: then all are joined anew.
        if space != before or len(changed) == len(seen) or len(trials) < len(seen):
            seen, space = [], {}
        _add(space, trials[len(seen) :])
        self._seen = list(trials), dict(space)
        return space


def _add(space: dict[str, BaseDistribution], trials: Sequence[FrozenTrial]) -> None:
    for trial in trials:
        for name, distribution in trial.distributions.items():
            known = space.get(name)
            if distribution is known:
                continue
            # Of equal ones the latest: the trials after it have the same object, and need no look.
            space[name] = distribution if distribution == known else joined(known, distribution)


def joined(one: BaseDistribution | None, other: BaseDistribution) -> BaseDistribution:
    """Return the distribution over the values of both, or the second where they are not alike."""
    if isinstance(one, FloatDistribution) and isinstance(other, FloatDistribution):
        low, high = min(one.low, other.low), max(one.high, other.high)
        if one.log == other.log and _on_one_grid(one.low - other.low, one.step, other.step):
            return FloatDistribution(low, high, log=other.log, step=other.step)
    if isinstance(one, IntDistribution) and isinstance(other, IntDistribution):
        least, most = min(one.low, other.low), max(one.high, other.high)
        if one.log == other.log and _on_one_grid(one.low - other.low, one.step, other.step):
            return IntDistribution(least, most, log=other.log, step=other.step)
    return other


def _on_one_grid(apart: float, step: float | None, other_step: float | None) -> bool:
    """Whether two ranges have the same steps, or none, and begin whole steps ``apart``."""
    if step is None or other_step is None:
        return step == other_step
    return step == other_step and abs(apart / step - round(apart / step)) < 1e-6
