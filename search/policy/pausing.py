"""Paused trials: which goes on, and which are given up. Readings of the study's state alone."""

import bisect
from collections.abc import Iterator

from search.journal.events import TrialEnded
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.halving import passes, passes_at_the_end


def goes_on(state: StudyState, epoch: int, cost: float, arriving: bool) -> bool:
    """Whether a trial of this cost goes on from a rung; an ``arriving`` one is not in it yet."""
    share, rungs = state.spec.stopping.reduction_factor, state.rungs
    if len(state.trials) < state.total:
        latest = rungs.arrivals[epoch].copy()
        latest.extend([cost] if arriving else [])
        return passes(latest, cost, share)
    ordered = rungs.at(epoch)
    return passes_at_the_end(bisect.bisect_left(ordered, cost), len(ordered) + arriving, share)


def next_to_go_on(state: StudyState) -> Trial | None:
    """Return the paused trial that goes on next: the best at the highest rung where one may."""
    best: dict[int, tuple[float, int]] = {}
    for trial in _paused(state):
        of_trial = _cost(state, trial), trial.number
        best[trial.epoch] = min(of_trial, best.get(trial.epoch, of_trial))
    for epoch in sorted(best, reverse=True):
        cost, number = best[epoch]
        if state.rungs.at(epoch) and goes_on(state, epoch, cost, arriving=False):
            return state.trials[number]
    return None


def surplus(state: StudyState) -> list[TrialEnded]:
    """Return the ends of paused trials for which the disk has no room.

    Those go that are the furthest down at their rung: they are the last to go on.
    """
    over = len(state.paused) - state.spec.stopping.keep_paused
    if over <= 0:
        return []
    furthest = sorted(_paused(state), key=lambda trial: _hopes(state, trial))[-over:]
    return [given_up(state, trial) for trial in furthest]


def all_given_up(state: StudyState) -> list[TrialEnded]:
    """Return the ends of all paused trials: none of them will go on."""
    return [given_up(state, trial) for trial in _paused(state)]


def given_up(state: StudyState, trial: Trial) -> TrialEnded:
    """Return the end of a trial that does not go on."""
    share = state.spec.stopping.reduction_factor
    reason = f"below the best 1/{share} at epoch {trial.epoch}"
    return TrialEnded(trial=trial.number, state="pruned", reason=reason)


def _hopes(state: StudyState, trial: Trial) -> tuple[float, int, int]:
    """Return what paused trials are ordered by, the most promising first."""
    ordered = state.rungs.at(trial.epoch)
    share = bisect.bisect_left(ordered, _cost(state, trial)) / max(len(ordered), 1)
    return share, -trial.epoch, trial.number


def _paused(state: StudyState) -> Iterator[Trial]:
    return (state.trials[number] for number in sorted(state.paused))


def _cost(state: StudyState, trial: Trial) -> float:
    value = trial.epochs.value(trial.epoch - 1)
    return float("inf") if value is None else state.objective.cost(value)
