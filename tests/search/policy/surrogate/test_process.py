"""The Gaussian process, its gradient, and how long an epoch takes."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from search.policy.samplers.epoch_aware.pace import relative_pace
from search.policy.surrogate.process import Posterior, Prior, _loss, fit

NOTHING = np.zeros(60)


def surface(seed: int = 0, points: int = 60, noise: float = 0.0):
    rng = np.random.default_rng(seed)
    x = rng.random((points, 3))
    z = np.sin(6 * x[:, 0]) + 2 * (x[:, 1] - 0.4) ** 2 + noise * rng.normal(size=points)
    return x, (z - z.mean()) / z.std()


def test_the_gradient_is_that_of_the_loss():
    x, z = surface()
    prior = Prior.of(3)
    theta = prior.mean + np.array([0.3, -0.4, 0.1, 0.2, -0.3])
    numeric = approx_fprime(theta, lambda t: _loss(t, x, z, NOTHING, prior)[0], 1e-6)
    assert _loss(theta, x, z, NOTHING, prior)[1] == pytest.approx(numeric, rel=1e-3, abs=1e-3)


def test_a_surface_is_learnt_and_a_dimension_without_effect_gets_a_long_scale():
    x, z = surface()
    theta = fit(x, z, None)
    assert theta[2] > max(theta[0], theta[1]) + 1
    others, truth = surface(seed=1)
    assert np.corrcoef(Posterior(theta, x, z).mean(others), truth)[0, 1] > 0.95


def test_many_points_are_predicted_as_each_alone_is():
    x, z = surface()
    posterior = Posterior(fit(x, z, None), x, z)
    others, _ = surface(seed=1, points=600)
    alone = [posterior.predict(others[row : row + 1]) for row in (0, 255, 256, 511, 512, 599)]
    mean, deviation = (part[[0, 255, 256, 511, 512, 599]] for part in posterior.predict(others))
    assert mean == pytest.approx(np.concatenate([one[0] for one in alone]))
    assert deviation == pytest.approx(np.concatenate([one[1] for one in alone]))
    assert [len(one) for one in posterior.predict(others)] == [600, 600]
    assert [len(one) for one in posterior.predict(others[:0])] == [0, 0]


def test_each_observation_is_foretold_by_all_others():
    rng = np.random.default_rng(0)
    x, z = rng.random((30, 4)), rng.normal(size=30)
    theta = [0.5] * 4 + [0.2, -2.0]
    left_out = Posterior(theta, x, z).left_out()
    for row in (0, 17):
        others = np.arange(30) != row
        expected = Posterior(theta, x[others], z[others]).mean(x[[row]])[0]
        assert left_out[row] == pytest.approx(z[row] - expected)


def test_noise_is_seen_as_noise():
    x, z = surface(noise=1.0)
    clean_x, clean_z = surface()
    assert fit(x, z, None)[-1] > fit(clean_x, clean_z, None)[-1] + 1


def test_few_points_of_a_rugged_surface_are_not_taken_for_noise():
    rng = np.random.default_rng(3)
    x = rng.random((14, 3))
    z = np.cos(9 * x[:, 0])
    z = (z - z.mean()) / z.std()
    found, known = np.array(fit(x, z, None)), np.zeros(len(z))
    prior = Prior.of(3)
    assert _loss(found, x, z, known, prior)[0] <= _loss(prior.rugged(), x, z, known, prior)[0]


def test_a_fit_from_another_ends_where_it_would_have():
    """From one that was made on the first half of the points."""
    x, z = surface(points=80)
    prior = Prior.of(3)
    known = np.zeros(80)
    went_on = np.array(fit(x, z, fit(x[:40], z[:40], None)))
    anew = np.array(fit(x, z, None))
    assert _loss(went_on, x, z, known, prior)[0] < _loss(anew, x, z, known, prior)[0] + 0.5


def test_pending_points_make_their_neighbourhood_certain_and_move_nothing():
    x, z = surface(points=10)
    theta, pending = fit(x, z, None), np.array([[0.5, 0.5, 0.5]])
    before, after = Posterior(theta, x, z), Posterior(theta, x, z).believing(pending)
    assert after.predict(pending)[1] < before.predict(pending)[1]
    assert after.mean(pending) == pytest.approx(before.mean(pending), abs=1e-3)


def test_coinciding_points_are_no_trouble():
    x = np.repeat(np.array([[0.2, 0.2, 0.2], [0.8, 0.8, 0.8]]), 5, axis=0)
    z = np.array([1.0] * 5 + [-1.0] * 5)
    mean, deviation = Posterior(fit(x, z, None), x, z).believing(x[:2]).predict(x)
    assert np.isfinite(mean).all() and (deviation > 0).all()


def test_slow_configurations_are_known_for_slow():
    rng = np.random.default_rng(0)
    x = rng.random((30, 2))
    seconds = np.exp(2 * x[:, 0])
    seconds[3] = np.nan
    slow, fast = relative_pace(x, seconds, np.array([[1.0, 0.5], [0.0, 0.5]]))
    assert slow > 2 > 1 > fast
    assert (relative_pace(x[:2], seconds[:2], x) == 1).all(), "too few to tell"
    assert (relative_pace(x, np.full(30, np.nan), x) == 1).all()


def test_an_observation_that_is_known_for_uncertain_counts_less():
    x, z = surface(points=40)
    off = z.copy()
    off[7] += 5.0
    known = np.zeros(40)
    known[7] = 25.0
    trusted = Posterior(fit(x, off, None), x, off).mean(x[7:8])[0]
    doubted = Posterior(fit(x, off, None, known), x, off, known).mean(x[7:8])[0]
    assert abs(doubted - z[7]) < abs(trusted - z[7]) / 2


def test_what_is_not_chance_is_worth():
    """A point that stands out is worth what was seen of it where chance is small; less, where it is
    large; and nothing of it is told of another."""
    x, z = surface(points=40)
    z[7] += 2.0
    small, large = (
        Posterior(fit(x, z, None, known), x, z, known).worths(x[7:8])
        for known in (np.full(40, 1e-4), np.full(40, 1.0))
    )
    assert small[0][7] == pytest.approx(z[7], abs=0.05)
    assert large[0][7] < z[7] - 0.4
    assert small[0][40] < z[7] - 0.4, "another trial there would deviate for itself"
    assert small[1][7, 7] < 0.01 < large[1][7, 7]
    assert small[1].shape == (41, 41)
