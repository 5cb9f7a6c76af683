"""What is wrong with a search, as far as its trials show it; a report puts it in words.

Legend: N points, D axes, F features.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from search.journal.events import Finding
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.audits import audit
from search.policy.merits import ERRORS, Array, Merits
from search.policy.seeds import derive_seed
from search.policy.surrogate.axes import Axis
from search.policy.surrogate.ranking import mid_ranks
from search.spec.space import Choice, Dimension

#: Configurations that must be known before anything is said, and before what has no effect is.
_SOME, _MANY = 15, 30

#: The best so many must lie in the outer so much of an axis, and the very best at its end; the
#: hyperparameter must have a part in so much of what is explained, and so much must be lost, of the
#: spread of all, by moving so far inwards from there.
_BEST, _OUTER, _END = 5, 0.15, 0.04
_PART, _LOST_INWARDS, _INWARDS = 0.05, 0.1, 0.2

#: A hyperparameter that explains less of what the model explains has no effect; the model must
#: explain so much of what was seen.
_LITTLE, _ENOUGH = 0.01, 0.3

#: Nothing is known of values that were tried less often.
_TRIED = 3

#: Below this, what is explained is nothing.
_NOTHING = 0.1

#: The first rung says so much of the opposite of the end, by ranks and over so many trials, where
#: halving stops too early; a loser beats the winner more often than this, surely.
_CORRELATED, _PAIRS, _LOST = 0.3, 12, 0.05

#: Halving is mild where so many times as many pass as should.
_PASSING = 1.8


def findings(state: StudyState, merits: Merits) -> list[Finding]:
    """Return what is to be said of a search, the gravest first."""
    if len(merits.first) < _SOME:
        return []
    ranked = _ranked(state)
    return [
        *_alike(merits),
        *_gain(state, merits),
        *_edges(state, ranked, merits),
        *_idle(state, merits),
        *_halving(state, ranked),
    ]


def _ranked(state: StudyState) -> list[Trial]:
    """Return the trials that came beyond the first rung, the best first."""
    first = state.rungs.epochs[0] if state.rungs.epochs else 0
    found = [
        trial
        for trial in state.comparable_trials()
        if trial.best_value is not None and trial.epoch > first and trial.state != "failed"
    ]
    return sorted(found, key=lambda t: (state.objective.cost(t.best_value or 0.0), t.number))


def _edges(state: StudyState, ranked: Sequence[Trial], merits: Merits) -> Iterator[Finding]:
    """Yield the ranges at whose end the best lie, unless it can go no further."""
    axes, parts = merits.axes, importance(state, merits)
    x_ND = axes.points([trial.params for trial in ranked[:_BEST]])
    if len(x_ND) < _BEST or _explained(merits) < _ENOUGH:
        return
    for index, (name, axis) in enumerate(zip(axes.names, axes.axes, strict=True)):
        x_N = x_ND[:, index]
        if axis.size < 3 or axis.nominal or np.any(np.isnan(x_N)) or parts[name] < _PART:
            continue
        for end, place in zip(("low", "high"), axis.span, strict=True):
            limit = _limit(state.space[name], end)
            off_N = np.abs(x_N - place)
            at_end = off_N[0] <= _END and float(np.median(off_N)) <= _OUTER
            if at_end and not _is_bound(state, name, limit) and _falls(merits, x_ND[0], index):
                yield Finding(kind="edge", name=name, end=end, value=float(limit))


def _falls(merits: Merits, best_D: Array, index: int) -> bool:
    """Whether the process expects less of a point that lies further inwards on an axis."""
    inner_D = best_D.copy()
    inner_D[index] += _INWARDS if best_D[index] < 0.5 else -_INWARDS
    best, inner = merits.posterior.mean(merits.features(np.array([best_D, inner_D])))
    return bool(best - inner > _LOST_INWARDS)


def _limit(dimension: Dimension, end: str) -> float:
    if isinstance(dimension, Choice):
        numbers = [float(option) for option in dimension.options]
        return min(numbers) if end == "low" else max(numbers)
    return dimension.low if end == "low" else dimension.high


def _is_bound(state: StudyState, name: str, limit: float) -> bool:
    """Whether the hyperparameter takes nothing beyond."""
    one = state.hyperparameters[name]
    return limit in (one.minimum, one.above, one.maximum, one.below)


def _explained(merits: Merits) -> float:
    """Return which share of what was seen the process explains."""
    rest_M = merits.z_M - merits.posterior.mean(merits.features(merits.x_MD))
    # What is only expected of a trial that was stopped counts for less.
    weight_M = 1.0 / (merits.variance_M + merits.posterior.noise)
    apart_M = merits.z_M - np.average(merits.z_M, weights=weight_M)
    rest, apart = (float(np.sum(weight_M * one_M**2)) for one_M in (rest_M, apart_M))
    return max(0.0, 1.0 - rest / max(apart, 1e-12))


def _alike(merits: Merits) -> Iterator[Finding]:
    explained = _explained(merits)
    if len(merits.first) >= _MANY and explained < _NOTHING:
        yield Finding(kind="alike", value=explained)


def _gain(state: StudyState, merits: Merits) -> Iterator[Finding]:
    """Yield the gain over the first configuration, if it is within what chance explains."""
    if 0 not in merits.first or state.former:  # then it is what led before
        return
    first = merits.first.index(0)
    mean_M, covariance_MM = merits.worths(merits.x_MD[:0])
    leader = merits.best(mean_M)
    pair = np.ix_([leader, first], [leader, first])
    sign_2 = np.array([1.0, -1.0])
    variance = float(sign_2 @ covariance_MM[pair] @ sign_2)
    better = float(mean_M[leader] - mean_M[first])
    error = ERRORS * math.sqrt(max(variance, 0.0))
    if better <= 2.0 * error:
        gain = merits.worth(float(mean_M[leader])) - merits.worth(float(mean_M[first]))
        # In the metric's units as the gain is: below the median they are drawn in.
        stretch = gain / better if better > 0 else merits.scale
        yield Finding(kind="no_gain", value=gain, other=error * stretch)


def _idle(state: StudyState, merits: Merits) -> Iterator[Finding]:
    """Yield the hyperparameters of which nothing is seen."""
    if len(merits.first) < _MANY or _explained(merits) < _ENOUGH:
        return
    axes = merits.axes
    several = {
        name
        for name, axis, x_M in zip(axes.names, axes.axes, merits.x_MD.T, strict=True)
        if axis.size > 1 and _is_seen_throughout(axis, x_M)
    }
    for name, share in importance(state, merits).items():
        if share < _LITTLE and name in several:
            yield Finding(kind="no_effect", name=name, value=share)


def _is_seen_throughout(axis: Axis, x_M: Array) -> bool:
    """Whether each value of an axis, or each third of one that has an order, was tried enough."""
    parts = int(axis.size) if axis.nominal else int(min(axis.size, 3))
    place_M = np.minimum(np.floor(x_M[~np.isnan(x_M)] * parts), parts - 1)
    return bool(np.bincount(place_M.astype(int), minlength=parts).min() >= _TRIED)


def importance(state: StudyState, merits: Merits) -> dict[str, float]:
    """Return which share of the variance of what the process expects each hyperparameter has a part
    in, 0 to 1: its total index (Homma & Saltelli 1996), by Jansen's estimator (1999)."""
    axes, count = merits.axes, 512
    seed = derive_seed(state.spec.search.seed, "importance", state.trials.ended)
    rng = np.random.default_rng(seed)
    x_ND = axes.spread(rng.random((count, len(axes))))
    other_ND = axes.spread(rng.random((count, len(axes))))
    expected_N = merits.posterior.mean(merits.features(x_ND))
    variance = max(float(np.var(expected_N)), 1e-12)
    found = {}
    for index, name in enumerate(axes.names):
        changed_ND = x_ND.copy()
        changed_ND[:, index] = other_ND[:, index]
        moved_N: Array = merits.posterior.mean(merits.features(changed_ND)) - expected_N
        found[name] = min(1.0, float(np.mean(moved_N**2)) / (2.0 * variance))
    return found


def _halving(state: StudyState, ranked: Sequence[Trial]) -> Iterator[Finding]:
    """Yield what speaks for a halving that stops too early, or hardly at all."""
    if not state.rungs.epochs:
        return
    audited = audit(state)
    if audited is not None and audited.interval[0] > _LOST:
        yield Finding(kind="harsh", value=len(audited.better) / len(audited.audited), end="audited")
    first = state.rungs.epochs[0]
    whole = [t for t in ranked if t.state == "completed" and t.epochs.value(first - 1) is not None]
    if audited is None and len(whole) >= _PAIRS:
        correlation = _rank_correlation(
            [state.objective.cost(trial.epochs.value(first - 1) or 0.0) for trial in whole],
            [state.objective.cost(trial.best_value or 0.0) for trial in whole],
        )
        chance = 2.0 / math.sqrt(len(whole) - 1)  # two errors of one where there is no relation
        if correlation < -max(_CORRELATED, chance):
            yield Finding(kind="harsh", value=correlation, other=float(len(whole)))
    came, passing = _passing(state, first)
    share = passing / max(came, 1)
    if came >= _MANY and share > _PASSING / state.spec.stopping.reduction_factor:
        yield Finding(kind="mild", value=share)


def _passing(state: StudyState, first: int) -> tuple[int, int]:
    """Return how many trials came to the first rung under the present stopping, and how many of
    them went on."""
    came = [
        t
        for t in state.comparable_trials()
        if t.epoch >= first and t.spec.stopping == state.spec.stopping and t.state != "failed"
    ]
    return len(came), sum(t.epoch > first and t.audited != first for t in came)


def _rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Return Spearman's; 0 where one is constant."""
    if min(len(set(a)), len(set(b))) < 2:
        return 0.0
    ranks = np.array([mid_ranks(np.array(a)), mid_ranks(np.array(b))])
    return float(np.corrcoef(ranks)[0, 1])
