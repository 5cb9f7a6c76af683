"""What a finished epoch means for its trial: a pure rule over the study's state."""

from search.journal.events import (
    ENDS,
    Decision,
    EpochDone,
    Event,
    TrialEnded,
    TrialMoved,
    TrialRestored,
)
from search.journal.state import StudyState, Trial, value_of
from trainables.attempts.messages import Report


def judge(state: StudyState, report: Report) -> list[Event]:
    """The trial's next epoch as the journal has it: with the decision, what happened on the way
    there, and the trial's end if it is one."""
    decision, reason = _decide(state, report)
    events = _circumstances(state.trials[report.number], report)
    events.append(_epoch(state.spec.metric, report, decision, reason))
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
    if value is not None and state.asha.should_stop(report.epoch, value):
        share = state.spec.stopping.reduction_factor
        return "stop", f"below the best 1/{share} at epoch {report.epoch}"
    return "continue", None


def _out_of_patience(state: StudyState, report: Report, value: float | None) -> str | None:
    """Why a trial that no longer improves has come to its own end, if it has."""
    trial, mode = state.trials[report.number], state.spec.mode
    patience = {**trial.spec.fixed, **trial.params}.get("patience", 0)
    best = trial.best_epoch(mode) if patience else None
    if best is None or best.value is None or value is None:
        return None
    improves = value > best.value if mode == "max" else value < best.value
    if improves or report.epoch - best.epoch < patience:
        return None
    return f"no better since epoch {best.epoch}"


def _circumstances(trial: Trial, report: Report) -> list[Event]:
    """What happened on the way to this epoch that a reader must know."""
    events: list[Event] = []
    who = {"trial": report.number, "attempt": report.attempt}
    if report.restored is not None:
        events.append(
            TrialRestored(**who, epoch=report.restored.epoch, reason=report.restored.reason)
        )
    if trial.epochs:
        before, after = (
            f"{e.device}, {e.threads} threads, {e.precision}, {e.processor}, "
            f"{e.recurrence} recurrence"
            for e in (trial.epochs[-1], report)
        )
        if before != after:
            events.append(TrialMoved(**who, before=before, after=after))
    return events


def _epoch(metric: str, report: Report, decision: Decision, reason: str | None) -> EpochDone:
    fields = report.model_dump(exclude={"number", "restored"})
    value = value_of(report.metrics, metric)
    fields |= {"trial": report.number, "value": value, "decision": decision, "reason": reason}
    return EpochDone.model_validate(fields)
