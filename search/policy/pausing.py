"""Paused trials: which goes on, and which are given up. Readings of the study's state alone."""

import bisect
from collections.abc import Iterator

from search.journal.events import TrialEnded
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.halving import passes, passes_at_the_end


def goes_on(state: StudyState, epoch: int, cost: float, arriving: bool) -> bool:
    """Whether a trial of this cost goes on from a rung; an ``arriving`` one is not in it yet.

    Of equals those that came earlier go first: an arriving one comes last.
    """
    share, rungs = state.spec.stopping.reduction_factor, state.rungs
    alike = 0 if arriving else sum(_stands(state, t, epoch, cost) for t in _paused(state))
    waiting = max(1, alike)
    if len(state.trials) < state.total:
        came = rungs.arrivals[epoch].copy()
        came.extend([cost] if arriving else [])
        latest = list(came)
        return passes(latest, cost, waiting, share)
    ordered = rungs.at(epoch)
    left, right = bisect.bisect_left(ordered, cost), bisect.bisect_right(ordered, cost)
    better = left + max(0, right - left + arriving - waiting)
    return passes_at_the_end(better, len(ordered) + arriving, share)


def _stands(state: StudyState, trial: Trial, epoch: int, cost: float) -> bool:
    return trial.epoch == epoch and _cost(state, trial) == cost


def next_to_go_on(state: StudyState) -> Trial | None:
    """Return the paused trial that goes on next: the best at the highest rung where one may.

    One that waits where no rung is any more, since the study was changed, goes on to the next.
    """
    best: dict[int, tuple[float, int]] = {}
    for trial in _paused(state):
        if trial.epoch not in state.rungs.epochs:
            return trial
        of_trial = _cost(state, trial), trial.number
        best[trial.epoch] = min(of_trial, best.get(trial.epoch, of_trial))
    for epoch in sorted(best, reverse=True):
        cost, number = best[epoch]
        if goes_on(state, epoch, cost, arriving=False):
            return state.trials[number]
    return None


def surplus(state: StudyState) -> list[TrialEnded]:
    """Return the ends of paused trials for which the disk has no room: the least promising."""
    room = state.spec.stopping.keep_paused
    if len(state.paused) <= room:
        return []
    promising = sorted(_paused(state), key=lambda trial: _place(state, trial))
    return [_given_up(trial, f"at most {room} stay paused") for trial in promising[room:]]


def all_given_up(state: StudyState) -> list[TrialEnded]:
    """Return the ends of all paused trials: none of them will go on."""
    share = state.spec.stopping.reduction_factor
    return [
        _given_up(trial, f"below the best 1/{share} at epoch {trial.epoch}")
        for trial in _paused(state)
    ]


def _given_up(trial: Trial, reason: str) -> TrialEnded:
    return TrialEnded(trial=trial.number, state="pruned", reason=reason)


def _place(state: StudyState, trial: Trial) -> tuple[int, int]:
    """Return a paused trial's place among all, the best least: how many are better at its rung, to
    which only those came that are better than most."""
    better = bisect.bisect_left(state.rungs.at(trial.epoch), _cost(state, trial))
    return better, trial.number


def _paused(state: StudyState) -> Iterator[Trial]:
    return (state.trials[number] for number in sorted(state.paused))


def _cost(state: StudyState, trial: Trial) -> float:
    value = trial.epochs.value(trial.epoch - 1)
    return float("inf") if value is None else state.objective.cost(value)
