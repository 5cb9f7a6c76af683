"""How long an epoch of a configuration takes, by a ridge regression of its logarithm.

Legend: N configurations, M others, F features.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: The penalty on the squared coefficients.
_RIDGE = 0.3

#: A configuration is taken for so many times as slow or as fast as the average, at most.
_MOST_TIMES = 7.0


def relative_pace(x_NF: Array, seconds_N: Array, x_MF: Array) -> Array:
    """Return how long an epoch takes at points, relative to the average, t_M.

    ``seconds_N`` is NaN where it is not known; all are alike where too few are.
    """
    known_N = np.isfinite(seconds_N) & (seconds_N > 0)
    if np.sum(known_N) < 3:
        return np.ones(len(x_MF))
    logs_N = np.log(seconds_N[known_N])
    terms = _terms(x_NF[known_N])
    weights = np.linalg.solve(
        terms.T @ terms + _RIDGE * np.eye(terms.shape[1]), terms.T @ (logs_N - logs_N.mean())
    )
    most = np.log(_MOST_TIMES)
    return np.asarray(np.exp(np.clip(_terms(x_MF) @ weights, -most, most)))


def _terms(x_NF: Array) -> Array:
    return np.hstack((np.ones((len(x_NF), 1)), x_NF))
