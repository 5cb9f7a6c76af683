"""Values as positions on an axis, and back."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search.policy.samplers.epoch_aware.distributions import axes_of, axis_of
from search.policy.surrogate.axes import Axis, keys

DISTRIBUTIONS = {
    "float": FloatDistribution(-2.0, 3.0),
    "log": FloatDistribution(1e-5, 1e-1, log=True),
    "grid": FloatDistribution(0.0, 1.0, step=0.25),
    "tenths": FloatDistribution(0.0, 0.3, step=0.1),
    "vast": IntDistribution(0, 10**9, step=10),
    "int": IntDistribution(1, 5),
    "wide": IntDistribution(1, 1000),
    "logint": IntDistribution(8, 512, log=True),
    "intgrid": IntDistribution(0, 30, step=10),
    "names": CategoricalDistribution(("last", "mean", "max")),
    "sizes": CategoricalDistribution((32, 128, 64)),
    "switch": CategoricalDistribution((False, True)),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@given(share=st.floats(0, 1, exclude_max=True))
def test_every_share_is_a_value_of_the_distribution(name, share):
    distribution = DISTRIBUTIONS[name]
    axis = axis_of(distribution)
    position = float(axis.spread(np.array([share]))[0])
    value = axis.value(position)
    assert distribution._contains(distribution.to_internal_repr(value)), value
    assert axis.position(value) == pytest.approx(position, abs=1e-9)
    assert 0 <= position <= 1


@pytest.mark.parametrize("name", ["grid", "tenths", "int", "intgrid", "names", "sizes", "switch"])
def test_shares_are_spread_evenly_over_countable_values(name):
    axis = axis_of(DISTRIBUTIONS[name])
    positions = axis.spread((np.arange(1200) + 0.5) / 1200)
    counts = np.unique(positions, return_counts=True)[1]
    assert len(counts) == axis.size
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("logint", list(range(8, 513))),
        ("wide", list(range(1, 1001))),
        ("tenths", [0.0, 0.1, 0.2, 0.3]),
        ("intgrid", [0, 10, 20, 30]),
        ("sizes", [32, 64, 128]),
    ],
)
def test_every_value_has_a_position(name, values):
    axis = axis_of(DISTRIBUTIONS[name])
    assert len(axis.positions()) == axis.size == len(values)
    assert [axis.value(float(x)) for x in axis.positions()] == values


def test_a_value_of_a_grid_is_known_however_it_was_reckoned():
    axis = axis_of(DISTRIBUTIONS["tenths"])
    assert axis.position(0.1 + 0.2) != axis.position(0.1 + 0.2), "it is above the end"
    assert axis.position(0.3) == 1.0 and axis.position(3 * 0.1 - 1e-12) == 1.0
    assert np.isnan(axis.position(0.25))


def test_numbers_are_in_order_and_names_are_not():
    axes = axes_of({name: DISTRIBUTIONS[name] for name in ("sizes", "names", "switch")})
    x_ND = axes.points(
        [
            {"sizes": 32, "names": "last", "switch": False},
            {"sizes": 64, "names": "mean", "switch": True},
            {"sizes": 128, "names": "max", "switch": True},
        ]
    )
    x_NF = axes.features(x_ND, np.zeros(3, dtype=bool))
    assert x_NF[:, 0].tolist() == [0.0, 0.5, 1.0]
    assert x_NF[:, 1].tolist() == [0.0, 0.5, 0.0], "the middle is another place than both ends"
    apart = [np.linalg.norm(x_NF[a, 2:5] - x_NF[b, 2:5]) for a, b in ((0, 1), (1, 2), (0, 2))]
    assert apart == pytest.approx([1.0, 1.0, 1.0])
    assert x_NF[:, 5].tolist() == [0.0, 1.0, 1.0], "of two values neither is the middle"


def test_what_a_configuration_lacks_is_a_feature_of_its_own():
    axes = axes_of({"momentum": FloatDistribution(0, 1), "names": DISTRIBUTIONS["names"]})
    x_ND = axes.points([{"momentum": 0.5, "names": "max"}, {"names": "max"}, {}])
    assert np.isnan(x_ND[1:, 0]).all()
    x_NF = axes.features(x_ND, np.array([True, False]))
    assert x_NF[:, 2].tolist() == [0.0, 1.0, 1.0], "absent"
    assert x_NF[0, :2].tolist() == x_NF[1, :2].tolist() == [0.5, 0.5]
    assert axes.configuration(x_ND[1]) == {"names": "max"}


def test_the_ends_of_an_axis_have_positions():
    sizes = axis_of(DISTRIBUTIONS["sizes"])
    assert sizes.span == Axis(high=0.5, step=0.2).span == (0, 1)
    assert axis_of(FloatDistribution(1e-3, 1, log=True)).span == (0, 1)
    low, high = axis_of(IntDistribution(2, 6, log=True)).span
    assert 0.1 < low < high < 0.96, "2 owns what is above 1.5"


@pytest.mark.parametrize(
    ("space", "size"),
    [
        ({"names": DISTRIBUTIONS["names"], "int": DISTRIBUTIONS["int"]}, 15),
        ({"names": DISTRIBUTIONS["names"], "float": DISTRIBUTIONS["float"]}, np.inf),
        ({"wide": DISTRIBUTIONS["wide"]}, 1000),
    ],
)
def test_the_size_of_a_space(space: dict[str, BaseDistribution], size):
    assert axes_of(space).size == size


def test_a_value_of_another_space_has_no_position():
    assert np.isnan(axis_of(DISTRIBUTIONS["int"]).position(9))
    assert np.isnan(axis_of(DISTRIBUTIONS["log"]).position(1.0))
    assert np.isnan(axis_of(DISTRIBUTIONS["names"]).position("attention"))
    for name in ("tenths", "intgrid", "int", "log", "float"):
        strange = [None, "0.1", math.inf, -math.inf, math.nan, (1,)]
        assert np.isnan(axis_of(DISTRIBUTIONS[name]).positions_of(strange)).all()


@pytest.mark.parametrize("order", ["C", "F"])
def test_equal_points_have_equal_keys(order):
    x_ND = np.array([[0.1 + 0.2, 0.0], [0.3, -0.0], [0.3, 1e-6], [0.3, np.nan]], order=order)
    first, second, third, lacking = keys(x_ND)
    assert first == second and len({first, third, lacking}) == 3
    assert keys(x_ND[:, :0]) == [b""] * 4 and keys(x_ND[:0]) == []
