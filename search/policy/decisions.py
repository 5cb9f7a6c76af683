"""Decides on a finished epoch whether its trial goes on: a pure rule over the study's state."""

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
from search.policy.pausing import goes_on
from trainables.attempts.messages import Report


def judge(state: StudyState, report: Report) -> list[Event]:
    """Return the events of a reported epoch.

    They are how the trial came there, if a reader must know, the epoch with the decision on it, and
    the trial's end if the decision ends it.
    """
    decision, reason = _decide(state, report)
    events = _circumstances(state.trials[report.number], report)
    events.append(_epoch(state, report, decision, reason))
    if decision in ENDS:
        events.append(TrialEnded(trial=report.number, state=ENDS[decision], reason=reason))
    return events


def _decide(state: StudyState, report: Report) -> tuple[Decision, str | None]:
    spec = state.trials[report.number].spec
    strange = sorted(name for name, value in report.metrics.items() if value is None)
    if strange:
        return "fail", f"{strange[0]} is not finite at epoch {report.epoch}"
    metric = state.spec.metric
    if metric not in report.metrics:
        return "fail", f"task {spec.task!r} reports {', '.join(report.metrics)}: no {metric}"
    value = report.metrics[metric]
    if report.epoch >= spec.stopping.max_epochs:
        return "complete", None
    impatient = _out_of_patience(state, report, value)
    if impatient is not None:
        return "complete", impatient
    return _compare(state, report.epoch, value)


def _compare(state: StudyState, epoch: int, value: float | None) -> tuple[Decision, str | None]:
    """Decide at a rung; elsewhere a trial goes on."""
    if value is None or epoch not in state.rungs.epochs:
        return "continue", None
    stopping, cost = state.spec.stopping, state.objective.cost(value)
    best = f"the best 1/{stopping.reduction_factor} at epoch {epoch}"
    if stopping.losers == "stop":
        stops = should_stop(state.rungs.at(epoch), cost, stopping.reduction_factor)
        return ("stop", f"below {best}") if stops else ("continue", None)
    if goes_on(state, epoch, cost, arriving=True):
        return "continue", None
    return "pause", f"not yet among {best}"


def _out_of_patience(state: StudyState, report: Report, value: float | None) -> str | None:
    """Return why a trial that no longer improves ends, if it does."""
    trial = state.trials[report.number]
    patience = {**trial.spec.fixed, **trial.params}.get("patience", 0)
    best = trial.best_epoch if patience else None
    if best is None or best.value is None or value is None:
        return None
    improves = state.objective.improves(value, best.value)
    if improves or report.epoch - best.epoch < patience:
        return None
    return f"no better since epoch {best.epoch}"


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


def _epoch(state: StudyState, report: Report, decision: Decision, reason: str | None) -> EpochDone:
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
        decision=decision,
        reason=reason,
    )
