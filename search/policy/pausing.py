"""Paused trials: which goes on, and which are given up. Readings of the study's state alone."""

import bisect
from collections.abc import Iterator

from search.journal.events import TrialEnded
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.halving import has_room, is_among_best


def goes_on(state: StudyState, epoch: int, cost: float, arriving: bool) -> bool:
    """Whether a trial of this cost, the best that waits at a rung or one that is ``arriving`` and
    not in it yet, goes on from there.

    Those that are among the best 1/η do; while others are to come, one at a time, as there is room.
    """
    if not is_promising(state, epoch, cost, arriving):
        return False
    if len(state.trials) >= state.total:
        return True
    count = len(state.rungs.at(epoch)) + arriving
    if not has_room(count, state.rungs.went_on[epoch], state.spec.stopping.reduction_factor):
        return False
    return not arriving or all(cost < other for other in _waiting_at(state, epoch))


def is_promising(state: StudyState, epoch: int, cost: float, arriving: bool = False) -> bool:
    """Whether a trial of this cost is among the best 1/η at a rung, one at least.

    Of equals those that came earlier go first: an arriving one comes last.
    """
    ordered = state.rungs.at(epoch)
    alike = 0 if arriving else sum(other == cost for other in _waiting_at(state, epoch))
    left, right = bisect.bisect_left(ordered, cost), bisect.bisect_right(ordered, cost)
    better = left + max(0, right - left + arriving - max(1, alike))
    return is_among_best(better, len(ordered) + arriving, state.spec.stopping.reduction_factor)


def _waiting_at(state: StudyState, epoch: int) -> Iterator[float]:
    """Return the costs of those that wait at a rung."""
    return (_cost(state, trial) for trial in _paused(state) if trial.epoch == epoch)


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
    if len(state.trials.paused) <= room:
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
    return (state.trials[number] for number in sorted(state.trials.paused))


def _cost(state: StudyState, trial: Trial) -> float:
    value = trial.epochs.value(trial.epoch - 1)
    return float("inf") if value is None else state.objective.cost(value)
