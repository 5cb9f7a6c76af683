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
