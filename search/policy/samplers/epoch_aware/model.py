"""The model of one moment: a Gaussian process over the places of trials, and where it would look.

Legend: N trials that it sees, D axes, F features.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search.policy.samplers.epoch_aware.beliefs import Beliefs, weights
from search.policy.samplers.epoch_aware.conditions import learn, without
from search.policy.samplers.epoch_aware.history import History
from search.policy.samplers.epoch_aware.pace import relative_pace
from search.policy.samplers.epoch_aware.places import SUGGESTED
from search.policy.samplers.epoch_aware.ranks import scores
from search.policy.surrogate.axes import Axes, keys
from search.policy.surrogate.candidates import LISTED, candidates, expected_improvement
from search.policy.surrogate.process import Posterior, fit

Array = NDArray[np.float64]

#: Trials seen of the best and of the latest, so that the cost of a suggestion is bounded.
_BEST, _LATEST = 80, 80

#: The power of its time by which an expected gain is divided: 0 would not look at time, and 1 would
#: take the cheapest that gain anything.
_COST = 0.5

#: So many of the best have their neighbours looked at.
_LEADERS = 8

#: So many of the latest trials without a report are believed to come to what is expected of them,
#: and so many points of a listed space are looked at: for the cost of a suggestion, too.
_PENDING, _LOOKED = 100, 1536


class Model:
    """What the trials say of the space.

    Attributes:
        features: how many features it measures distances by.
        all_alike: whether no trial is any better than another; then nothing else may be asked.
    """

    def __init__(self, axes: Axes, history: History, beliefs: Beliefs) -> None:
        self._beliefs, self._trials = beliefs, len(history.known)
        z_N = scores(history.progress)
        seen = _seen(z_N)
        self._axes = axes
        trials = [history.known[index] for index in seen]
        suggested_N = np.array([SUGGESTED in one.system_attrs for one in trials], dtype=np.bool_)
        taken_ND, asked_ND = history.places.look(axes, trials)
        settled_N = history.settled_N[seen]
        self._conditions = learn(taken_ND[settled_N])
        self._x_ND = taken_ND
        if suggested_N.any():  # where trials were to lie, as candidates do
            self._x_ND = without(asked_ND, self._conditions)
        self._optional_D = np.any(np.isnan(self._x_ND[settled_N]), axis=0)
        pending_MD = axes.points(history.pending)
        if axes.size <= LISTED:
            self._tried_ND = tried(axes, history)
        else:
            self._tried_ND = _of_whole(history, seen, taken_ND, pending_MD)
        self._tried_ND = np.vstack((self._tried_ND, self._x_ND[suggested_N]))
        self._x_NF = self._features(self._x_ND)
        self._pending_MF = self._features(pending_MD[-_PENDING:])
        self._z_N = (z_N[seen] - z_N[seen].mean()) / (z_N[seen].std() + 1e-9)
        m_NS = beliefs.expected(axes, self._x_ND)
        self._weights_S = weights(m_NS, self._z_N)
        self._rest_N = self._z_N - m_NS @ self._weights_S
        self._seconds_N = history.seconds_N[seen]
        self.features = self._x_NF.shape[1]
        self.all_alike = bool(np.ptp(z_N[seen]) < 1e-9)

    def _features(self, x_ND: Array) -> Array:
        return self._axes.features(x_ND, self._optional_D)

    def fit(self, start: Sequence[float] | None) -> list[float]:
        """Return the most probable parameters of the process: of what the former searches do not
        explain."""
        return fit(self._x_NF, self._rest_N, start)

    def posterior(self, theta: Sequence[float]) -> Posterior:
        """Return the process of these parameters, behind what it saw."""
        return Posterior(theta, self._x_NF, self._rest_N)

    def foretells(self, posterior: Posterior) -> float:
        """Return which share of the trials' differences is foretold, of each by all others: 1 at
        most, and less than 0 where the mean of the others would be nearer."""
        count = len(self._z_N)
        from_mean_N = self._z_N * count / (count - 1)
        return float(1.0 - np.sum(posterior.left_out() ** 2) / np.sum(from_mean_N**2))

    def choose(self, posterior: Posterior, rng: np.random.Generator) -> Array:
        """Return the point of the greatest expected improvement for its time, x_D."""
        posterior = posterior.believing(self._pending_MF)
        expected_N = posterior.mean(self._x_NF) + self._believed(self._x_ND)
        leaders = np.argsort(-expected_N, kind="stable")[:_LEADERS]
        x_MD = candidates(self._axes, self._x_ND[leaders], rng)
        x_MD = untried(without(x_MD, self._conditions), self._tried_ND)
        if len(x_MD) > _LOOKED:
            x_MD = x_MD[np.sort(rng.choice(len(x_MD), _LOOKED, replace=False))]
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


def tried(axes: Axes, history: History) -> Array:
    """Return the points that need no other trial, x_ND."""
    known_ND, _ = history.places.look(axes, history.known)
    every = np.arange(len(known_ND))
    return _of_whole(history, every, known_ND, axes.points(history.pending))


def _of_whole(
    history: History, rows: NDArray[np.intp], known_ND: Array, pending_MD: Array
) -> Array:
    """Return the points of these rows of the history and of what runs, less those of trials that
    failed before they had all their parameters."""
    whole_N = np.concatenate((history.settled_N[rows], history.whole_M))
    x_ND = np.vstack((known_ND, pending_MD))
    return np.asarray(x_ND[whole_N | ~np.isnan(x_ND).any(axis=1)])


def untried(x_MD: Array, tried_ND: Array) -> Array:
    """Return the points that no trial has had; all of them where there is none left.

    A parameter that a trial lacks would be missing at every point that is otherwise like it.
    """
    fresh_M = np.ones(len(x_MD), dtype=np.bool_)
    lacking_ND = np.isnan(tried_ND)
    patterns = np.unique(lacking_ND, axis=0) if lacking_ND.any() else lacking_ND[:1]
    for lacking_D in patterns:
        like_N = (lacking_ND == lacking_D).all(axis=1)
        had = set(keys(tried_ND[like_N][:, ~lacking_D]))
        shared = keys(x_MD[:, ~lacking_D])
        fresh_M &= np.array([key not in had for key in shared], dtype=np.bool_)
    return x_MD[fresh_M] if fresh_M.any() else x_MD
