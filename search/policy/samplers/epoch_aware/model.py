"""The model of one moment: a Gaussian process over the places of trials, and where it would look.

Legend: N trials that it sees, D axes, F features.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search.policy.samplers.epoch_aware.beliefs import Beliefs, weights
from search.policy.samplers.epoch_aware.conditions import learn, without
from search.policy.samplers.epoch_aware.history import History, step_seconds
from search.policy.samplers.epoch_aware.pace import relative_pace
from search.policy.samplers.epoch_aware.ranks import scores
from search.policy.surrogate.axes import Axes
from search.policy.surrogate.candidates import candidates, expected_improvement
from search.policy.surrogate.process import Posterior, fit

Array = NDArray[np.float64]

#: Trials seen of the best and of the latest, so that the cost of a suggestion is bounded.
_BEST, _LATEST = 80, 80

#: The power of its time by which an expected gain is divided: 0 would not look at time, and 1 would
#: take the cheapest that gain anything.
_COST = 0.5

#: So many of the best have their neighbours looked at.
_LEADERS = 8


class Model:
    """What the trials say of the space.

    Attributes:
        features: how many features it measures distances by.
    """

    def __init__(self, axes: Axes, history: History, beliefs: Beliefs) -> None:
        self._beliefs, self._trials = beliefs, len(history.known)
        z_N = scores(history.progress)
        seen = _seen(z_N)
        self._axes = axes
        self._x_ND = axes.points([history.known[index].params for index in seen])
        pending_MD = axes.points(history.pending)
        tried_ND = np.vstack((self._x_ND, pending_MD))
        self._tried_ND, self._conditions = tried_ND, learn(tried_ND)
        self._optional_D = np.any(np.isnan(tried_ND), axis=0)
        self._x_NF = self._features(self._x_ND)
        self._pending_MF = self._features(pending_MD)
        self._z_N = (z_N[seen] - z_N[seen].mean()) / (z_N[seen].std() + 1e-9)
        m_NS = beliefs.expected(axes, self._x_ND)
        self._weights_S = weights(m_NS, self._z_N)
        self._rest_N = self._z_N - m_NS @ self._weights_S
        self._seconds_N = np.array([step_seconds(history.known[index]) for index in seen])
        self.features = self._x_NF.shape[1]

    def _features(self, x_ND: Array) -> Array:
        return self._axes.features(x_ND, self._optional_D)

    def fit(self, start: Sequence[float] | None) -> list[float]:
        """Return the most probable parameters of the process: of what the former searches do not
        explain."""
        return fit(self._x_NF, self._rest_N, start)

    def choose(self, theta: Sequence[float], rng: np.random.Generator) -> Array:
        """Return the point of the greatest expected improvement for its time, x_D."""
        posterior = Posterior(theta, self._x_NF, self._rest_N).believing(self._pending_MF)
        expected_N = posterior.mean(self._x_NF) + self._believed(self._x_ND)
        leaders = np.argsort(-expected_N, kind="stable")[:_LEADERS]
        x_MD = candidates(self._axes, self._x_ND[leaders], rng)
        x_MD = untried(without(x_MD, self._conditions), self._tried_ND)
        x_MF = self._features(x_MD)
        mean_M, deviation_M = posterior.predict(x_MF)
        mean_M = mean_M + self._believed(x_MD)
        gain_M = expected_improvement(mean_M, deviation_M, float(self._z_N.max()))
        pace_M = relative_pace(self._x_NF, self._seconds_N, x_MF)
        liked_M = np.exp(self._beliefs.log_density(self._axes, x_MD, self._trials))
        return np.asarray(x_MD[int(np.argmax(gain_M * liked_M / pace_M**_COST))])

    def _believed(self, x_ND: Array) -> Array:
        """Return what the former searches expect of points."""
        return self._beliefs.expected(self._axes, x_ND) @ self._weights_S


def _seen(z_N: Array) -> NDArray[np.intp]:
    """Return the rows of the best and of the latest trials, ascending."""
    known = np.flatnonzero(~np.isnan(z_N))
    best = known[np.argsort(-z_N[known], kind="stable")[:_BEST]]
    return np.union1d(best, known[-_LATEST:])


def untried(x_MD: Array, tried_ND: Array) -> Array:
    """Return the points that no trial has had; all of them where there is none left."""
    had = {row.tobytes() for row in np.round(tried_ND, 9)}
    fresh_M = np.array([row.tobytes() not in had for row in np.round(x_MD, 9)], dtype=np.bool_)
    return x_MD[fresh_M] if fresh_M.any() else x_MD
