"""A sampler for searches in which most trials are stopped early.

Optuna's samplers learn from each trial's last value, whatever its epoch, and so from values that
cannot be compared. This one places every trial among all by where it stood at the highest rung that
it came to (``ranks.py``), and models that place. The idea that ranks make values of different
fidelities comparable is Salinas et al.'s (2020, arXiv 1909.13595); the asynchronous use of a
Gaussian process beside halving is MOBSTER's (Klein et al. 2020, arXiv 2003.10865).
"""

from collections.abc import Sequence
from threading import Lock
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from search.policy.samplers.epoch_aware.beliefs import Beliefs
from search.policy.samplers.epoch_aware.distributions import axes_of, axis_of
from search.policy.samplers.epoch_aware.history import History, Reader
from search.policy.samplers.epoch_aware.model import Model, tried, untried
from search.policy.samplers.epoch_aware.places import SUGGESTED
from search.policy.surrogate.axes import Axes
from search.policy.surrogate.candidates import LISTED, every_point
from search.policy.surrogate.threads import one_thread

Array = NDArray[np.float64]

#: So many points are drawn to choose one near the centres, if there are any.
_DRAWN = 32

#: So many points are drawn to choose one of the first trials: the one that is farthest from others.
_FAR = 64

#: A model that foretells less of the trials' differences takes luck for merit, where hardly any
#: configuration learns: a trial is drawn at random instead.
_FORETOLD = 0.1

#: Threads of one study ask one after the other, or two would be told the same. (A sampler with a
#: lock of its own could not be pickled.)
_ASKING = Lock()

#: Where a trial carries what was fitted for it: no later question, and no resume, fits again.
FITTED = "seqtune:fitted"


class Look(NamedTuple):
    """What there is to be seen when a trial is to be chosen."""

    axes: Axes
    history: History
    trials: Sequence[FrozenTrial]


class EpochAwareSampler(BaseSampler):
    """Suggests by a Gaussian process over the places of trials among all.

    For one objective. It is for a study with a pruner, and reads intermediate values. The same
    trials give the same suggestion, whatever was asked before: chance is drawn from ``seed`` and a
    trial's number. How long trials took by the clock counts too, so two runs of one study differ.
    """

    def __init__(
        self,
        seed: int | None = None,
        *,
        rungs: Sequence[int] | None = None,
        startup_trials: int = 4,
        random_share: float = 0.05,
        reader: Reader | None = None,
        beliefs: Beliefs | None = None,
    ) -> None:
        """Make a sampler.

        Args:
            seed: another seed gives other suggestions; None draws one.
            rungs: the steps at which trials are compared; None takes those at which some were
                stopped.
            startup_trials: so many trials are drawn far from each other, one at least.
            random_share: so many of the later ones, 0 to 1.
            beliefs: what is known before the first trial.
            reader: one that other samplers of the same study have read its trials by.
        """
        self._seed = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
        self._rungs = None if rungs is None else sorted(set(rungs))
        self._startup, self._random = max(1, startup_trials), random_share
        self._reader, self._beliefs = reader or Reader(), beliefs or Beliefs()
        if self._beliefs.searches:
            self._startup = 2 * self._startup + self._beliefs.after

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return every parameter that some trial had, over all the values that it might take."""
        space = self._reader.spaces.join(study.get_trials(deepcopy=False))
        return {name: space[name] for name in sorted(space) if not space[name].single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Suggest a value of every parameter; those not asked for go unused."""
        self._raise_error_if_multi_objective(study)
        with _ASKING:
            return self._suggest(study, trial, search_space)

    def _suggest(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if not search_space:
            return {}
        axes = axes_of(search_space)
        sign = 1.0 if study.direction == StudyDirection.MINIMIZE else -1.0
        # A pruner with brackets shows those of one alone.
        trials = [one for one in study.get_trials(deepcopy=False) if one.number != trial.number]
        history = self._reader.read(trials, self._rungs, sign)
        rng = np.random.default_rng([self._seed, trial.number])
        if len(history.known) < self._startup or rng.random() < self._random:
            x_D = self._begin(axes, history, trial.number, rng)
        else:
            with one_thread():
                x_D = self._look(study, trial, Look(axes, history, trials), rng)
        suggested = axes.configuration(x_D)
        study._storage.set_trial_system_attr(trial._trial_id, SUGGESTED, suggested)
        return suggested

    def _look(
        self, study: Study, trial: FrozenTrial, look: Look, rng: np.random.Generator
    ) -> Array:
        """Return the point that a model chooses, x_D, or any while it could say nothing.

        What was fitted is kept with the trial that it was fitted for.
        """
        axes, history, known = look.axes, look.history, len(look.history.known)
        model = Model(axes, history, self._beliefs)
        if model.all_alike:
            return self._draw(axes, history, rng)
        before = _last_fitted(look.trials, axes, model.features)
        if before is not None and 0 <= known - before["known"] < min(10, max(1, known // 10)):
            theta = before["theta"]
        else:
            theta = model.fit(None if before is None else before["theta"])
            fitted: dict[str, Any] = {"known": known, "axes": list(axes.names), "theta": theta}
            study._storage.set_trial_system_attr(trial._trial_id, FITTED, fitted)
        posterior = model.posterior(theta)
        if model.foretells(posterior) < _FORETOLD:
            return self._draw(axes, history, rng)
        return model.choose(posterior, rng)

    def _begin(self, axes: Axes, history: History, number: int, rng: np.random.Generator) -> Array:
        """Return a point that no model has chosen, x_D: of the first trials the best of former
        searches, else one drawn at random, near the centres at first."""
        former = self._beliefs.to_begin_with(number) if number < self._startup else None
        if former is not None:
            return np.asarray(axes.points([former])[0])
        if not self._beliefs.centres and len(history.known) < self._startup:
            return _draw_afar(axes, history, rng)
        return self._draw(axes, history, rng)

    def _draw(self, axes: Axes, history: History, rng: np.random.Generator) -> Array:
        """Draw a point, x_D, near the centres at first, if there are any; of a small space one that
        no trial has had, if there is one."""
        if not self._beliefs.centres:
            return np.asarray(_drawn(axes, history, 1, rng)[0])
        drawn_MD = _drawn(axes, history, _DRAWN, rng)
        liked_M = self._beliefs.log_density(axes, drawn_MD, len(history.known))
        return np.asarray(drawn_MD[int(np.argmax(liked_M + rng.gumbel(size=_DRAWN)))])

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw a parameter that no trial had yet, or take it over from a former search."""
        former = self._beliefs.to_begin_with(trial.number) or {}
        axis = axis_of(param_distribution)
        if param_name in former and axis.position(former[param_name]) >= 0.0:
            return former[param_name]
        rng = np.random.default_rng([self._seed, trial.number, crc32(param_name.encode())])
        axes = Axes({param_name: axis})
        drawn_M1 = axes.spread(rng.random((_DRAWN, 1)))
        liked_M = self._beliefs.log_density(axes, drawn_M1, 0)
        at = int(np.argmax(liked_M + rng.gumbel(size=_DRAWN))) if np.any(liked_M) else 0
        return axis.value(float(drawn_M1[at, 0]))


def _drawn(axes: Axes, history: History, count: int, rng: np.random.Generator) -> Array:
    """Draw so many points, x_MD; of a small space such as no trial has had, while there are any."""
    if axes.size > LISTED:
        return axes.spread(rng.random((count, len(axes))))
    x_MD = untried(every_point(axes), tried(axes, history))
    return np.asarray(x_MD[rng.integers(len(x_MD), size=count)])


def _draw_afar(axes: Axes, history: History, rng: np.random.Generator) -> Array:
    """Draw a point far from those of all trials, x_D (maximin distance, Johnson et al. 1990)."""
    known_ND, _ = history.places.look(axes, history.known)
    tried_ND = np.vstack((known_ND, axes.points(history.pending)))
    if not len(tried_ND):
        return np.asarray(_drawn(axes, history, 1, rng)[0])
    drawn_MD = _drawn(axes, history, _FAR, rng)
    optional_D = np.any(np.isnan(tried_ND), axis=0)
    tried_NF, drawn_MF = axes.features(tried_ND, optional_D), axes.features(drawn_MD, optional_D)
    squares_MN = np.sum((drawn_MF[:, None, :] - tried_NF[None, :, :]) ** 2, axis=2)
    return np.asarray(drawn_MD[int(np.argmax(squares_MN.min(axis=1)))])


def _last_fitted(trials: Sequence[FrozenTrial], axes: Axes, features: int) -> dict[str, Any] | None:
    """Return what was fitted last to the same features; None if nothing was."""
    for trial in reversed(trials):
        fitted = trial.system_attrs.get(FITTED)
        if fitted is not None:
            same = fitted["axes"] == list(axes.names) and len(fitted["theta"]) == features + 2
            return dict(fitted) if same else None
    return None
