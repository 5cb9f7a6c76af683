"""Paused trials: which goes on, and which are given up. Readings of the study's state alone."""

import bisect
from collections.abc import Iterator

from search.journal.events import TrialEnded
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.halving import has_last_room, has_room, is_among_best


def goes_on(state: StudyState, epoch: int, cost: float, arriving: bool) -> bool:
    """Whether a trial of this cost, the best that waits at a rung or one that is ``arriving`` and
    not in it yet, goes on from there.

    Those that are among the best 1/η do, one at a time, as there is room.
    """
    if not is_promising(state, epoch, cost, arriving):
        return False
    share, went_on = state.spec.stopping.reduction_factor, state.rungs.went_on[epoch]
    count = len(state.rungs.at(epoch)) + arriving
    if not has_room(count, went_on, share) and not (
        has_last_room(count, went_on, share) and _all_came(state, epoch, arriving)
    ):
        return False
    return not arriving or all(cost < other for other in _waiting_at(state, epoch))


def _all_came(state: StudyState, epoch: int, arriving: bool) -> bool:
    """Whether nobody else is to come to a rung: all trials are made, none trains on its way there,
    and none that waits before it goes on."""
    if len(state.trials) < state.total:
        return False
    coming = [t for t in state.trials.all_open() if _comes_to(state, t, epoch)]
    return len(coming) <= arriving and not any(
        goes_on(state, before, cost, arriving=False)
        for before, (cost, _) in _best_waiting(state).items()
        if before < epoch
    )


def _comes_to(state: StudyState, trial: Trial, epoch: int) -> bool:
    """Whether a trial is on its way to a rung, to be compared there."""
    compared = trial.audited is None and state.is_comparable(trial)
    return compared and trial.state != "paused" and trial.epoch < epoch


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
    for trial in _paused(state):
        if trial.epoch not in state.rungs.epochs:
            return trial
    best = _best_waiting(state)
    for epoch in sorted(best, reverse=True):
        cost, number = best[epoch]
        if goes_on(state, epoch, cost, arriving=False):
            return state.trials[number]
    return None


def _best_waiting(state: StudyState) -> dict[int, tuple[float, int]]:
    """Return the cost and the number of the best trial that waits, by rung."""
    best: dict[int, tuple[float, int]] = {}
    for trial in _paused(state):
        of_trial = _cost(state, trial), trial.number
        if trial.epoch in state.rungs.epochs:
            best[trial.epoch] = min(of_trial, best.get(trial.epoch, of_trial))
    return best


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
