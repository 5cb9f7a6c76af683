"""What is believed of a space before its first trial: by former searches, and by whoever set a
centre. What the trials say outweighs it, so a belief that misleads only delays.

Legend: N points, D axes, F features, S former searches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.policy.surrogate.axes import Array, Axes
from search.policy.surrogate.process import Posterior, fit

#: Former searches together are believed to say what is to be expected, as by so many trials.
_TRUST = 4.0

#: A weight is no more, for scores are cut off by how many trials a search had.
_MOST = 1.5

#: How wide a belief in a centre is, as a standard deviation of a position; what is left of it far
#: off; and, as β in π(x)^(β / n), how long it lasts (Hvarfner et al. 2022, arXiv 2204.11051).
_WIDTH, _FLOOR, _LASTS = 0.2, 0.05, 5.0


@dataclass(frozen=True)
class Former:
    """A trial of a former search: parameters, and its score among the others there."""

    params: Mapping[str, Any]
    score: float


class Beliefs:
    """Former searches, and centres of parameters."""

    def __init__(
        self,
        searches: Sequence[Sequence[Former]] = (),
        centres: Mapping[str, Any] | None = None,
        after: int = 0,
    ) -> None:
        """``after``: so many trials come first, whose configurations were named by a person."""
        self.searches, self.centres, self.after = searches, dict(centres or {}), after
        self._ordered: list[Mapping[str, Any]] | None = None
        self._learnt: dict[tuple[Any, ...], list[_Search]] = {}

    def to_begin_with(self, number: int) -> Mapping[str, Any] | None:
        """Return the configuration that a search's trial of this number takes over, if it does.

        They are the best of each former search, then the second best of each, and so on. Every
        other trial takes one, so that one half is spread over the space if they mislead.
        """
        number -= self.after
        if number < 0 or number % 2:
            return None
        if self._ordered is None:
            ranked = [sorted(search, key=lambda one: -one.score) for search in self.searches]
            longest = max(map(len, ranked), default=0)
            ordered = [s[place] for place in range(longest) for s in ranked if place < len(s)]
            self._ordered = [one.params for one in ordered]
        return self._ordered[number // 2] if number // 2 < len(self._ordered) else None

    def expected(self, axes: Axes, x_ND: Array) -> Array:
        """Return the scores that each former search expects of points, m_NS."""
        if not self.searches:
            return np.zeros((len(x_ND), 0))
        key = (axes.names, axes.axes)
        if key not in self._learnt:
            self._learnt.clear()
            self._learnt[key] = [_Search(axes, search) for search in self.searches]
        return np.column_stack([search.mean(x_ND) for search in self._learnt[key]])

    def log_density(self, axes: Axes, x_ND: Array, trials: int) -> Array:
        """Return the logarithm of how much points near the centres are preferred after so many
        trials, p_N."""
        total_N = np.zeros(len(x_ND))
        for index, (name, axis) in enumerate(zip(axes.names, axes.axes, strict=True)):
            centre = axis.position(self.centres[name]) if name in self.centres else np.nan
            if not np.isnan(centre):
                off_N = (np.nan_to_num(x_ND[:, index], nan=centre) - centre) / _WIDTH
                total_N += np.log(_FLOOR + np.exp(-0.5 * off_N**2))
        return np.asarray(_LASTS / max(trials, 1) * total_N)


class _Search:
    """The process behind one former search's scores."""

    def __init__(self, axes: Axes, search: Sequence[Former]) -> None:
        x_ND = axes.points([one.params for one in search])
        self._axes, self._optional_D = axes, np.any(np.isnan(x_ND), axis=0)
        z_N = np.array([one.score for one in search])
        z_N = (z_N - z_N.mean()) / (z_N.std() + 1e-9)
        x_NF = axes.features(x_ND, self._optional_D)
        self._posterior = Posterior(fit(x_NF, z_N, None), x_NF, z_N)

    def mean(self, x_ND: Array) -> Array:
        return self._posterior.mean(self._axes.features(x_ND, self._optional_D))


def weights(m_NS: Array, z_N: Array) -> Array:
    """Return how much of each former search's expectation is borne out, w_S: a ridge regression
    that begins at equal shares."""
    searches = m_NS.shape[1]
    begin_S = np.full(searches, 1.0 / max(searches, 1))
    square_SS = m_NS.T @ m_NS + _TRUST * np.eye(searches)
    return np.clip(np.linalg.solve(square_SS, m_NS.T @ z_N + _TRUST * begin_S), 0.0, _MOST)
