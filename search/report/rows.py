"""What readers print of a study: the contract's JSON objects, from its files alone."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from search.errors import NoFiniteResult
from search.journal.events import OutlookTaken
from search.journal.folder import StudyDir
from search.journal.state import StudyState
from search.journal.trial import Trial

_BEFORE_PARAMS = ("number", "state", "value", "epoch", "best_epoch")
_BEFORE_EPOCHS = (*_BEFORE_PARAMS, "params")
_AFTER_EPOCHS = ("attempts", "failures", "reason", "host", "device", "checkpoint")
_STATES = ("waiting", "running", "paused", "interrupted", "completed", "pruned", "failed")
_LEADER = ("leader.number", "leader.mean", "leader.se")

#: The columns of a status as CSV, whatever is known of the study.
STATUS_HEADS = (
    *("study", "state", "total"),
    *(f"counts.{name}" for name in _STATES),
    *("best", "driver.pid", "driver.host", "outlook.ended"),
    *(f"outlook.{name}" for name in _LEADER),
    *("outlook.chance", "outlook.left", "outlook.gain.mean", "outlook.gain.ci95"),
    "outlook.findings",
)

#: Those of the best trial beside a trial's own.
BEST_HEADS = ("study", "metric", "mode", *_LEADER)


def trial_heads(state: StudyState, more: Sequence[str] = ()) -> list[str]:
    """Return the columns of a study's trials as CSV, with or without any trials."""
    taken = {*_BEFORE_PARAMS, *_AFTER_EPOCHS, *(name.partition(".")[0] for name in more)}
    params = (f"params.{name}" if name in taken else name for name in state.space)
    return [*_BEFORE_PARAMS, *params, *_AFTER_EPOCHS, *more]


def trial_state(trial: Trial, running: bool) -> str:
    """Return a trial's state for readers: ``interrupted`` if begun with no driver at work now."""
    if trial.ended or trial.state == "paused":
        return trial.state
    if not running and trial.attempts:
        return "interrupted"
    return trial.state if running else "waiting"


def count_states(state: StudyState, running: bool) -> dict[str, int]:
    """Count the trials in each state."""
    return dict(Counter(trial_state(trial, running) for trial in state.trials))


def trial_row(
    trial: Trial, state: StudyState, running: bool, folder: StudyDir | None = None
) -> dict[str, Any]:
    """Return one trial as a JSON object, whose keys are a contract with other tools.

    Its checkpoint is named if it lies in ``folder``; a live table does without.
    """
    epochs = [
        {"epoch": e.epoch, "value": e.value, "metrics": e.metrics, "seconds": e.seconds}
        for e in trial.epochs
    ]
    row = table_row(trial, state, running, folder)
    return {**{key: row[key] for key in _BEFORE_EPOCHS}, "epochs": epochs} | row


def table_row(
    trial: Trial, state: StudyState, running: bool, folder: StudyDir | None = None
) -> dict[str, Any]:
    """Return one trial as ``trial_row`` does, without its epochs, of which there may be many."""
    best = trial.best_epoch
    last = trial.epochs[-1] if trial.epochs else None
    path = best.checkpoint.path if best else None
    return {
        "number": trial.number,
        "state": trial_state(trial, running),
        "value": best.value if best else None,
        "epoch": trial.epoch,
        "best_epoch": best.epoch if best else None,
        "params": trial.params,
        "attempts": trial.attempts,
        "failures": len(trial.failures),
        "reason": trial.reason or (None if state.is_comparable(trial) else "over other data"),
        "host": last.host if last else None,
        "device": last.numerics.device if last else None,
        "checkpoint": path if path and folder and (folder.root / path).exists() else None,
    }


def best_row(state: StudyState, running: bool, folder: StudyDir) -> dict[str, Any]:
    """Return the best trial's object, with study, metric and mode.

    Raises:
        NoFiniteResult: no trial has one.
    """
    best = state.best()
    if best is None:
        raise NoFiniteResult(
            f"no trial of {state.created.name!r} has a finite {state.spec.metric} yet"
        )
    row = trial_row(best.trial, state, running, folder)
    row |= {"study": state.created.name, "metric": state.spec.metric, "mode": state.spec.mode}
    return row | ({"leader": _leader(state.outlook)} if state.outlook else {})


def _leader(said: OutlookTaken) -> dict[str, float]:
    return {"number": said.leader, "mean": said.mean, "se": said.se}


def status_row(folder: StudyDir, state: StudyState) -> dict[str, Any]:
    """Return a study's status as a JSON object, whose keys are a contract with other tools."""
    driver = folder.running_driver()
    best = state.best()
    return {
        "study": folder.name,
        "state": "running" if driver else ("finished" if state.finished else "interrupted"),
        "total": state.total,
        "counts": count_states(state, driver is not None),
        "best": best.trial.number if best else None,
        "driver": {"pid": driver.pid, "host": driver.host} if driver else None,
    } | ({"outlook": _outlook(state.outlook)} if state.outlook else {})


def _outlook(said: OutlookTaken) -> dict[str, Any]:
    """Return how a search stood after so many trials had ended, apart from luck."""
    gain = {"mean": said.gain, "ci95": [said.gain_low, said.gain_high]}
    return {
        "ended": said.ended,
        "leader": _leader(said),
        "chance": said.chance,
        "left": said.left,
        "gain": gain,
        "findings": [finding.model_dump(exclude_none=True) for finding in said.findings],
    }


def failure_causes(state: StudyState) -> dict[str, list[int]]:
    """Group the numbers of the failed trials by cause."""
    causes: dict[str, list[int]] = {}
    for trial in state.trials:
        if trial.state == "failed":
            causes.setdefault(trial.reason or "unknown", []).append(trial.number)
    return causes


def nothing_finite(state: StudyState) -> str:
    """Say that no trial came to a value, and why the first of those did not that say it."""
    said = f"all {state.total} trials ended without a finite result"
    told = next((trial for trial in state.trials if trial.reason), None)
    return f"{said}; trial {told.number} {told.state}: {told.reason}" if told else said


def damaged_row(folder: StudyDir) -> dict[str, Any]:
    """Return the row of a study whose journal cannot be read."""
    unknown = dict.fromkeys(("total", "best", "driver"))
    return {"study": folder.name, "state": "damaged", "counts": {}, **unknown}
