"""What the audited losers say of early stopping: how often it loses the winner, and what it saves.

An audited trial lost at a rung and was trained to its end all the same, by lot. So the share of
them that beat the winner is an estimate of the share of all losers that would have.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.pausing import is_promising


@dataclass(frozen=True)
class Audit:
    """What came of the audited trials.

    Attributes:
        audited: their numbers; those still under way are not among them.
        better: of them those that came to a better value than every other trial.
        interval: of the chance that a loser would have: 95 %, Clopper & Pearson (1934).
        seconds_spent: what their training beyond the rung has cost.
        seconds_saved: what the other losers' training would have cost.
    """

    audited: list[int]
    better: list[int]
    interval: tuple[float, float]
    seconds_spent: float
    seconds_saved: float


def audit(state: StudyState) -> Audit | None:
    """Return what the audits have shown so far; None where there are none.

    A trial that would go on by now is no loser, where losers may go on. One that failed was not
    trained to its end.
    """
    ended = [trial for trial in _audited(state) if trial.ended and trial.state != "failed"]
    if not ended:
        return None
    numbers = {trial.number for trial in ended}
    others = [t for t in state.comparable_trials() if t.number not in numbers]
    costs = [_cost(state, trial) for trial in others]
    winner = min(costs, default=float("inf"))
    if winner == float("inf"):  # nothing to be compared with
        return None
    better = [trial.number for trial in ended if _cost(state, trial) < winner]
    return Audit(
        audited=sorted(numbers),
        better=better,
        interval=_chance(len(better), len(ended)),
        seconds_spent=sum(_seconds_beyond(trial) for trial in ended),
        seconds_saved=sum(_seconds_left(t) for t in others if t.state in ("pruned", "paused")),
    )


def _audited(state: StudyState) -> Iterator[Trial]:
    for trial in state.comparable_trials():
        rung = trial.audited
        if rung is None:
            continue
        value = trial.epochs.value(rung - 1)
        judged_again = trial.spec.stopping.losers == "pause" and rung in state.rungs.epochs
        if (
            value is None
            or not judged_again
            or not is_promising(state, rung, state.objective.cost(value))
        ):
            yield trial


def _cost(state: StudyState, trial: Trial) -> float:
    best = trial.best_value
    return float("inf") if best is None else state.objective.cost(best)


def _seconds_beyond(trial: Trial) -> float:
    return sum(epoch.seconds for epoch in trial.epochs[trial.compared :])


def _seconds_left(trial: Trial) -> float:
    """Return how long a trial's epochs up to its end would have taken, as those before did."""
    left = trial.spec.stopping.max_epochs - trial.epoch
    return left * trial.epochs.total_seconds() / trial.epoch if trial.epoch else 0.0


def _chance(successes: int, tries: int) -> tuple[float, float]:
    from scipy.special import betaincinv  # a fifth of a second, which most reports need not wait

    low = betaincinv(successes, tries - successes + 1, 0.025) if successes else 0.0
    high = betaincinv(successes + 1, tries - successes, 0.975) if successes < tries else 1.0
    return float(low), float(high)
