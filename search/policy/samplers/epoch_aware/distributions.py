"""Optuna's distributions as axes."""

from collections.abc import Mapping

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

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


def joined(one: BaseDistribution | None, other: BaseDistribution) -> BaseDistribution:
    """Return the distribution over the values of both, or the second where they are not alike."""
    if isinstance(one, FloatDistribution) and isinstance(other, FloatDistribution):
        low, high = min(one.low, other.low), max(one.high, other.high)
        if one.step is None and other.step is None and one.log == other.log:
            return FloatDistribution(low, high, log=other.log)
    if isinstance(one, IntDistribution) and isinstance(other, IntDistribution):
        least, most = min(one.low, other.low), max(one.high, other.high)
        if one.step == other.step == 1 and one.log == other.log:
            return IntDistribution(least, most, log=other.log)
    return other
