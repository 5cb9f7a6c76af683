"""How a search stands, told from luck: which configuration leads, and what is left to be gained.

A configuration's worth is the value that it comes to on average over seeds, signed so that more is
better. It is a Gaussian process of the configuration and a deviation of its own; what a trial would
come to at its end is an observation of it. All figures are read off worths that are drawn.

Legend: M configurations, C candidates, S draws.
"""

import math
from typing import NamedTuple

import numpy as np

from search.journal.events import OutlookTaken, SearchConcluded
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.health import findings
from search.policy.merits import ERRORS, Array, Merits, learn_merits
from search.policy.seeds import derive_seed
from search.policy.surrogate.axes import Axes, keys
from search.policy.surrogate.candidates import LISTED, every_point, neighbours
from search.policy.surrogate.threads import one_thread
from search.spec.space import contains

#: Worths drawn; candidates over the whole space, and near so many of the best.
_DRAWS, _SPREAD, _NEAR, _LEADERS = 1000, 128, 64, 8

#: The gain expected is multiplied by the first, the ends of its interval by the others: as
#: ``ERRORS``.
_GAINS, _LOWEST, _HIGHEST = 1.2, 0.5, 2.5

#: A search of fewer trials does not conclude: what advice waits for, too.
_CONCLUDES_FROM = 15


class _Worths(NamedTuple):
    """Worths of M that were tried and C candidates, together X, as z.

    Attributes:
        tried: how many of them were.
        w_SX: worths that were drawn.
        chance: the variance of a trial around its configuration's worth.
    """

    tried: int
    mean_X: Array
    covariance_XX: Array
    w_SX: Array
    chance: float


def take_outlook(state: StudyState) -> OutlookTaken | None:
    """Return how the search stands; None while too little is known.

    Gains are in the metric's units, of worths and not by luck.
    """
    with one_thread():
        merits = learn_merits(state)
        return None if merits is None else _outlook(state, merits)


def _outlook(state: StudyState, merits: Merits) -> OutlookTaken:
    rng = np.random.default_rng(derive_seed(state.spec.search.seed, "outlook", state.trials.ended))
    x_CD = _candidates(state, merits, rng)
    worths = _draw(merits, x_CD, rng)
    leader = merits.best(worths.mean_X[: worths.tried])
    left = max(0, state.total - len(state.trials))
    gain_S = _gains(worths, leader, left, rng) * merits.scale
    low, high = np.percentile(gain_S, (2.5, 97.5))
    sign = -state.objective.cost(1.0)
    mean, variance = float(worths.mean_X[leader]), float(worths.covariance_XX[leader, leader])
    gain = max(0.0, _GAINS * float(np.mean(gain_S)))
    return OutlookTaken(
        ended=state.trials.ended,
        leader=merits.first[leader],
        mean=sign * merits.worth(mean),
        se=merits.standard_error(variance, mean),
        chance=_chance(worths, leader),
        left=left,
        gain=gain,
        gain_low=_lowered(float(low)),
        gain_high=max(gain, _raised(float(high))),  # a few draws may gain, and no other
        findings=findings(state, merits),
    )


def _lowered(low: float) -> float:
    """Return the lower end of an interval, made wider."""
    return (_LOWEST if low > 0.0 else _HIGHEST) * low


def _raised(high: float) -> float:
    """Return the upper end of an interval, made wider."""
    return (_HIGHEST if high > 0.0 else _LOWEST) * high


def _candidates(state: StudyState, merits: Merits, rng: np.random.Generator) -> Array:
    """Return configurations that more trials may try: none that was tried, and none twice."""
    axes, order = merits.axes, np.argsort(-merits.z_M, kind="stable")
    spread_CD = axes.spread(rng.random((_SPREAD, len(axes))))
    near_CD = neighbours(axes, merits.x_MD[order[:_LEADERS]], _NEAR, rng)
    if axes.size > LISTED:
        return _untried(state, axes, np.vstack((spread_CD, near_CD)))
    every_CD = _untried(state, axes, every_point(axes))  # else the last few are seldom drawn
    if len(every_CD) <= _SPREAD + _NEAR:
        return every_CD
    drawn_CD = every_CD[rng.choice(len(every_CD), _SPREAD, replace=False)]
    return _untried(state, axes, np.vstack((drawn_CD, near_CD)))


def _untried(state: StudyState, axes: Axes, x_CD: Array) -> Array:
    """Return the points that no trial of the present network has, each once."""
    fixed = state.spec.fixed
    tried = [trial.params for trial in state.comparable_trials() if trial.spec.fixed == fixed]
    seen, rows = set(keys(axes.points(tried))), list[int]()
    for index, key in enumerate(keys(x_CD)):
        if key not in seen:
            seen.add(key)
            rows.append(index)
    return x_CD[rows]


def _draw(merits: Merits, x_CD: Array, rng: np.random.Generator) -> _Worths:
    mean_X, covariance_XX = merits.worths(x_CD)
    size = len(mean_X)
    jitter = 1e-6 * np.trace(covariance_XX) / size
    lower_XX = np.linalg.cholesky(covariance_XX + jitter * np.eye(size))
    w_SX = mean_X + rng.standard_normal((_DRAWS, size)) @ lower_XX.T
    return _Worths(len(merits.first), mean_X, covariance_XX, w_SX, merits.chance)


def _gains(worths: _Worths, leader: int, left: int, rng: np.random.Generator) -> Array:
    """Return by how much the best that ``left`` more trials seem to find exceeds the leader, g_S;
    0 where none seems better.

    Each takes the best candidate of one draw, as a sampler would; what that is worth, the other
    draws say, and what is seen of it has the chance of a training. Where every configuration was
    tried, there is none to find.
    """
    half = _DRAWS // 2
    if not left or worths.tried == len(worths.mean_X):
        return np.zeros(half)
    chosen = worths.tried + np.unique(np.argmax(worths.w_SX[:half, worths.tried :][:left], axis=1))
    mean_C, w_SC = worths.mean_X[chosen], worths.w_SX[half:, chosen]
    variance_C = np.diag(worths.covariance_XX)[chosen]
    trusted_C = variance_C / (variance_C + worths.chance)
    seen_SC = w_SC + rng.standard_normal(w_SC.shape) * math.sqrt(worths.chance)
    expected_SC = mean_C + trusted_C * (seen_SC - mean_C)
    picked_S = np.argmax(expected_SC, axis=1)
    rows = np.arange(half)
    better_S = expected_SC[rows, picked_S] > worths.mean_X[leader]
    gain_S = w_SC[rows, picked_S] - worths.w_SX[half:, leader]
    return np.asarray(np.where(better_S, gain_S, 0.0))


def _chance(worths: _Worths, leader: int) -> float:
    """Return how often the leader is the best of those tried."""
    mean_M, w_SM = worths.mean_X[: worths.tried], worths.w_SX[:, : worths.tried]
    apart_SM = mean_M + ERRORS * (w_SM - mean_M)
    return float(np.mean(np.argmax(apart_SM, axis=1) == leader))


def to_repeat(state: StudyState) -> int | None:
    """Return the trial whose configuration is worth another run; None while too little is known.

    It is one of two that were drawn for the best of those trained to their ends (top-two Thompson
    sampling, Russo 2016, arXiv 1602.08448): what is surely best, or surely not, need not be run.
    """
    rng = np.random.default_rng(derive_seed(state.spec.search.seed, "repeat", len(state.trials)))
    with one_thread():
        merits = learn_merits(state)
        if merits is None:
            return None
        w_SM = _draw(merits, merits.x_MD[:0], rng).w_SX
    present_M = [_is_present(state, state.trials[number]) for number in merits.first]
    could_M = merits.whole_M & np.array(present_M, dtype=np.bool_)
    if not could_M.any():
        return None
    best_S = np.argmax(np.where(could_M, w_SM, -np.inf), axis=1)
    others = best_S[best_S != best_S[0]]
    picked = others[0] if len(others) and rng.random() < 0.5 else best_S[0]
    return merits.first[int(picked)]


def _is_present(state: StudyState, trial: Trial) -> bool:
    """Whether a trial's configuration is one of the present space, and has what is fixed now."""
    space = state.space
    return (
        trial.spec.fixed == state.spec.fixed
        and trial.params.keys() == space.keys()
        and all(contains(space[name], value) for name, value in trial.params.items())
    )


def conclude(state: StudyState) -> SearchConcluded | None:
    """Return a search's conclusion, where what remains of it has surely nothing left to gain."""
    outlook, threshold = state.outlook, state.spec.stopping.when_gain_below
    left = state.total - len(state.trials)
    if outlook is None or state.concluded is not None or not 0 < left <= outlook.left:
        return None
    if len(state.trials) < len(state.spec.first):  # somebody wants these tried
        return None
    if len(state.trials) < _CONCLUDES_FROM:
        return None
    if outlook.gain_high >= threshold:
        return None
    reason = (
        f"{left} more trials would surely gain less than {threshold:g} {state.objective.metric}"
    )
    return SearchConcluded(total=len(state.trials), reason=reason)
