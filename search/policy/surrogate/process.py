"""A Gaussian process with a length scale for every feature, fitted by maximum a posteriori.

Matérn kernel, ν = 5/2 (Rasmussen & Williams 2006, eq. 4.17). A length scale's prior grows with the
root of the number of features (Hvarfner et al. 2024, arXiv 2402.02229), so that a space of twenty
dimensions is no harder at first than one of two.

Legend: N observations, M other points, F features. θ holds log length scales (F), the log of the
signal's variance and of the noise's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

Array = NDArray[np.float64]

#: Keeps a kernel's matrix positive definite where points coincide.
_JITTER = 1e-8

#: How far θ may go: a length, the signal's variance, the noise's, as logarithms.
_LENGTHS, _SIGNAL, _NOISE = (-5.0, 8.0), (-4.0, 4.0), (-7.0, 3.0)

#: Steps of a fit: the first, and one that starts from another.
_STEPS, _LATER_STEPS = 25, 15

#: So many points are predicted together: what is reckoned of them stays in the cache.
_TOGETHER = 256

#: So many observations can be taken for noise.
_FEW = 60


@dataclass(frozen=True)
class Prior:
    """Normal distributions of θ."""

    mean: Array
    deviation: Array

    @classmethod
    def of(cls, features: int) -> "Prior":
        """Return the prior over so many features."""
        length = math.sqrt(2) + 0.5 * math.log(features) - 1.0
        mean = np.concatenate((np.full(features, length), (0.0, math.log(0.1))))
        deviation = np.concatenate((np.full(features, 1.2), (1.0, 1.0)))
        return cls(mean, deviation)

    def rugged(self) -> Array:
        """Return a θ of short lengths and little noise."""
        theta = self.mean.copy()
        theta[:-2] -= 1.5
        theta[-1] = math.log(0.03)
        return theta


def _distances(a_NF: Array, b_MF: Array, theta: Array) -> Array:
    """Return r_NM, √5 times the distances by lengths; in place, as most time goes here."""
    lengths = np.exp(theta[:-2])
    a_NF, b_MF = a_NF / lengths, b_MF / lengths
    r_NM = a_NF @ b_MF.T
    r_NM *= -2.0
    r_NM += np.sum(a_NF**2, 1)[:, None]
    r_NM += np.sum(b_MF**2, 1)[None, :]
    np.maximum(r_NM, 0.0, out=r_NM)
    r_NM *= 5.0
    return np.sqrt(r_NM, out=r_NM)


def _kernel(a_NF: Array, b_MF: Array, theta: Array) -> Array:
    """Return the covariances, k_NM."""
    r_NM = _distances(a_NF, b_MF, theta)
    k_NM = r_NM * (1.0 / 3.0)
    k_NM += 1.0
    k_NM *= r_NM
    k_NM += 1.0
    np.subtract(theta[-2], r_NM, out=r_NM)
    k_NM *= np.exp(r_NM, out=r_NM)
    return k_NM


def _kernel_and_slope(x_NF: Array, theta: Array) -> tuple[Array, Array]:
    """Return the covariances k_NN, and c_NN, by which dk / d ln ℓ = c (distance along F / ℓ)²."""
    r_NN = _distances(x_NF, x_NF, theta)
    decay_NN = np.exp(theta[-2] - r_NN)
    return decay_NN * (1.0 + r_NN + r_NN**2 / 3.0), decay_NN * (1.0 + r_NN) * (5.0 / 3.0)


def _loss(
    theta: Array, x_NF: Array, z_N: Array, known_N: Array, prior: Prior
) -> tuple[float, Array]:
    """Return the negative log posterior of θ and its gradient."""
    k_NN, c_NN = _kernel_and_slope(x_NF, theta)
    noise = math.exp(theta[-1])
    lower = cholesky(k_NN + np.diag(noise + _JITTER + known_N), lower=True, check_finite=False)
    inverse_NN = cho_solve((lower, True), np.eye(len(z_N)), check_finite=False)
    weights_N = inverse_NN @ z_N
    off = (theta - prior.mean) / prior.deviation
    loss = 0.5 * z_N @ weights_N + np.sum(np.log(np.diag(lower))) + 0.5 * np.sum(off**2)
    slope_NN = inverse_NN - np.outer(weights_N, weights_N)
    pull_NN, scaled_NF = slope_NN * c_NN, x_NF / np.exp(theta[:-2])
    gradient = np.empty_like(theta)
    gradient[:-2] = np.sum(scaled_NF**2 * np.sum(pull_NN, axis=1)[:, None], axis=0)
    gradient[:-2] -= np.sum(scaled_NF * (pull_NN @ scaled_NF), axis=0)
    gradient[-2] = 0.5 * np.sum(slope_NN * k_NN)
    gradient[-1] = 0.5 * np.trace(slope_NN) * noise
    return float(loss), gradient + off / prior.deviation


def fit(
    x_NF: Array, z_N: Array, start: Sequence[float] | None, known_N: Array | None = None
) -> list[float]:
    """Return the most probable θ, by L-BFGS from ``start``, or from the prior's mean.

    ``known_N`` is what is known of each observation's variance beside the noise of all.

    Few observations can be taken for noise, or for a surface without any, and each is a maximum of
    its own. So a second ascent begins at a rugged surface, while there are few.
    """
    prior = Prior.of(x_NF.shape[1])
    known_N = np.zeros(len(z_N)) if known_N is None else known_N
    starts = [prior.mean if start is None else np.asarray(start, dtype=np.float64)]
    if len(z_N) <= _FEW:
        starts.append(prior.rugged())
    found = [
        minimize(
            _loss,
            begin,
            args=(x_NF, z_N, known_N, prior),
            jac=True,
            method="L-BFGS-B",
            bounds=[_LENGTHS] * x_NF.shape[1] + [_SIGNAL, _NOISE],
            options={"maxiter": _STEPS if start is None else _LATER_STEPS},
        )
        for begin in starts
    ]
    best = min(found, key=lambda result: float(result.fun))
    return [round(float(value), 6) for value in best.x]


class Posterior:
    """The process behind observations, of which ``known_N`` is as for ``fit``."""

    def __init__(
        self, theta: Sequence[float], x_NF: Array, z_N: Array, known_N: Array | None = None
    ) -> None:
        self._theta = np.asarray(theta, dtype=np.float64)
        covariance = _kernel(x_NF, x_NF, self._theta)
        noise = math.exp(self._theta[-1]) + _JITTER
        self._known_N = np.zeros(len(z_N)) if known_N is None else known_N
        self._z_N = z_N
        self._lower = cholesky(
            covariance + np.diag(noise + self._known_N), lower=True, check_finite=False
        )
        self._x_NF, self._weights_N = x_NF, cho_solve((self._lower, True), z_N)

    @property
    def noise(self) -> float:
        """The variance by which an observation deviates from the process."""
        return math.exp(float(self._theta[-1]))

    def left_out(self) -> Array:
        """Return how far each observation is from what all others make expect, r_N (Rasmussen &
        Williams 2006, eq. 5.12)."""
        inverse_NN = cho_solve((self._lower, True), np.eye(len(self._z_N)), check_finite=False)
        return np.asarray(self._weights_N / np.diag(inverse_NN))

    def believing(self, x_MF: Array) -> "Posterior":
        """Return the process as if points had come to what it expects of them."""
        if not len(x_MF):
            return self
        x_NF = np.vstack((self._x_NF, x_MF))
        z_N = np.concatenate((self._z_N, self.mean(x_MF)))
        known_N = np.concatenate((self._known_N, np.zeros(len(x_MF))))
        return Posterior(self._theta.tolist(), x_NF, z_N, known_N)

    def mean(self, x_MF: Array) -> Array:
        """Return what is expected at points."""
        covariance = _kernel(x_MF, self._x_NF, self._theta)
        return np.asarray(covariance @ self._weights_N)

    def predict(self, x_MF: Array) -> tuple[Array, Array]:
        """Return what is expected at points, and its standard deviation, without the noise."""
        parts = [
            self._predict(x_MF[first : first + _TOGETHER])
            for first in range(0, max(len(x_MF), 1), _TOGETHER)
        ]
        means, deviations = zip(*parts, strict=True)
        return np.concatenate(means), np.concatenate(deviations)

    def _predict(self, x_MF: Array) -> tuple[Array, Array]:
        covariance = _kernel(x_MF, self._x_NF, self._theta)
        explained = solve_triangular(self._lower, covariance.T, lower=True, check_finite=False)
        variance = math.exp(self._theta[-2]) - np.sum(explained**2, axis=0)
        return covariance @ self._weights_N, np.sqrt(np.maximum(variance, 1e-12))

    def worths(self, x_CF: Array) -> tuple[Array, Array]:
        """Return the mean and the covariance, of what was observed and of other points together, if
        the noise is not one: if every point deviates so from the process, and what is ``known`` of
        each observation's variance is all that there is of chance."""
        own, count = math.exp(self._theta[-1]), len(self._x_NF)
        x_XF = np.vstack((self._x_NF, x_CF))
        k_XN = _kernel(x_XF, self._x_NF, self._theta)
        k_XN[:count] += own * np.eye(count)
        explained = solve_triangular(self._lower, k_XN.T, lower=True, check_finite=False)
        k_XX = _kernel(x_XF, x_XF, self._theta)
        k_XX += own * np.eye(len(x_XF))
        return k_XN @ self._weights_N, k_XX - explained.T @ explained
