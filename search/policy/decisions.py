"""Decides on a finished epoch whether its trial goes on: a pure rule over the study's state."""

from typing import NamedTuple

from search.journal.events import (
    ENDS,
    Decision,
    EpochDone,
    Event,
    TrialEnded,
    TrialMoved,
    TrialRestored,
)
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.halving import should_stop
from search.policy.pausing import goes_on, is_promising
from search.policy.seeds import derive_seed
from trainables.attempts.messages import Report


class _Verdict(NamedTuple):
    """A decision, why, and whether a loser goes on only to be audited."""

    decision: Decision
    reason: str | None = None
    audited: bool = False


def judge(state: StudyState, report: Report) -> list[Event]:
    """Return the events of a reported epoch.

    They are how the trial came there, if a reader must know, the epoch with the decision on it, and
    the trial's end if the decision ends it.
    """
    verdict = _decide(state, report)
    events = _circumstances(state.trials[report.number], report)
    events.append(_epoch(state, report, verdict))
    if verdict.decision in ENDS:
        end = ENDS[verdict.decision]
        events.append(TrialEnded(trial=report.number, state=end, reason=verdict.reason))
    return events


def _decide(state: StudyState, report: Report) -> _Verdict:
    trial = state.trials[report.number]
    spec = trial.spec
    strange = sorted(name for name, value in report.metrics.items() if value is None)
    if strange:
        return _Verdict("fail", f"{strange[0]} is not finite at epoch {report.epoch}")
    metric = state.spec.metric
    if metric not in report.metrics:
        reported = ", ".join(report.metrics)
        return _Verdict("fail", f"task {spec.task!r} reports {reported}: no {metric}")
    value = report.metrics[metric]
    if report.epoch >= spec.stopping.max_epochs:
        return _Verdict("complete")
    impatient = _out_of_patience(state, report, value)
    if impatient is not None:
        return _Verdict("complete", impatient)
    if value is None or report.epoch not in state.rungs.epochs or trial.audited is not None:
        return _Verdict("continue")
    verdict = _compare(state, report.epoch, value)
    if verdict.decision != "continue" and _is_audited(state, report):
        return _Verdict("continue", audited=True)
    return verdict


def _is_audited(state: StudyState, report: Report) -> bool:
    """Whether a loser is one of those that are trained to their ends, by lot."""
    drawn = derive_seed(state.spec.search.seed, "audit", report.number, report.epoch)
    return drawn < state.spec.stopping.audit * 2**32


def _compare(state: StudyState, epoch: int, value: float) -> _Verdict:
    """Compare a trial with the others at its rung."""
    stopping, cost = state.spec.stopping, state.objective.cost(value)
    best = f"the best 1/{stopping.reduction_factor} at epoch {epoch}"
    if stopping.losers == "stop":
        stops = should_stop(state.rungs.at(epoch), cost, stopping.reduction_factor)
        return _Verdict("stop", f"below {best}") if stops else _Verdict("continue")
    if goes_on(state, epoch, cost, arriving=True):
        return _Verdict("continue")
    promising = is_promising(state, epoch, cost, arriving=True)
    return _Verdict("pause", f"{'no room' if promising else 'not'} yet among {best}")


def _out_of_patience(state: StudyState, report: Report, value: float | None) -> str | None:
    """Return why a trial that no longer improves ends, if it does."""
    trial = state.trials[report.number]
    patience = trial.params.get("patience", trial.spec.fixed.get("patience", 0))
    best, since = trial.best_value, trial.epochs.best_number
    if not patience or best is None or since is None or value is None:
        return None
    if state.objective.improves(value, best) or report.epoch - since < patience:
        return None
    return f"no better since epoch {since}"


def _circumstances(trial: Trial, report: Report) -> list[Event]:
    """Return events on the way to this epoch that a reader must know of."""
    events: list[Event] = []
    who = {"trial": report.number, "attempt": report.attempt}
    if report.restored is not None:
        events.append(
            TrialRestored(**who, epoch=report.restored.epoch, reason=report.restored.reason)
        )
    where = trial.epochs.where
    if where is not None:
        before, after = where[1], report.numerics
        if before != after:
            events.append(TrialMoved(**who, before=str(before), after=str(after)))
    return events


def _epoch(state: StudyState, report: Report, verdict: _Verdict) -> EpochDone:
    """Return the event of an epoch; where it ran is said when it is new."""
    host, numerics = state.trials[report.number].epochs.where or (None, None)
    return EpochDone(
        trial=report.number,
        attempt=report.attempt,
        epoch=report.epoch,
        value=state.objective.value_of(report.metrics),
        metrics=report.metrics,
        seconds=round(report.seconds, 4),
        digest=report.checkpoint.digest,
        host=None if host == report.host else report.host,
        numerics=None if numerics == report.numerics else report.numerics,
        decision=verdict.decision,
        audited=verdict.audited,
        reason=verdict.reason,
    )
