"""What readers print of a study: the contract's JSON objects, tables and CSV, from files alone."""

import csv
import io
from collections import Counter
from typing import Any

from search.errors import JournalDamaged, NoFiniteResult
from search.journal.events import Event
from search.journal.folder import StudyDir, as_json
from search.journal.journal import read_events
from search.journal.state import StudyState, Trial, replay


def load_state(folder: StudyDir) -> StudyState:
    """A study's state, whether or not a driver is at work; raises as ``load_events`` does."""
    return replay(load_events(folder))


def load_events(folder: StudyDir) -> list[Event]:
    """What a study's journal says.

    Raises:
        JournalDamaged: the journal is not what was written, or cannot be read.
    """
    try:
        return read_events(folder.journal)
    except OSError as error:
        raise JournalDamaged(f"cannot read {folder.journal}: {error.strerror}") from error


def trial_state(trial: Trial, running: bool) -> str:
    """A trial's state as a reader sees it: begun and nobody at work on it is ``interrupted``."""
    if trial.ended:
        return trial.state
    if not running and trial.attempts:
        return "interrupted"
    return trial.state if running else "waiting"


def count_states(state: StudyState, running: bool) -> dict[str, int]:
    """How many trials are in each state."""
    return dict(Counter(trial_state(trial, running) for trial in state.trials))


def trial_row(
    trial: Trial, state: StudyState, running: bool, folder: StudyDir | None = None
) -> dict[str, Any]:
    """One trial as the contract's JSON object.

    Its checkpoint is named when it is there, in ``folder`` (which a live table does without).
    """
    best = trial.best_epoch(state.spec.mode)
    last = trial.epochs[-1] if trial.epochs else None
    path = best.checkpoint.path if best else None
    return {
        "number": trial.number,
        "state": trial_state(trial, running),
        "value": best.value if best else None,
        "epoch": trial.epoch,
        "best_epoch": best.epoch if best else None,
        "params": trial.params,
        "epochs": [
            {"epoch": e.epoch, "value": e.value, "metrics": e.metrics, "seconds": e.seconds}
            for e in trial.epochs
        ],
        "attempts": trial.attempts,
        "failures": len(trial.failures),
        "reason": trial.reason or (None if trial.corpus == state.corpus else "over other data"),
        "host": last.host if last else None,
        "device": last.device if last else None,
        "checkpoint": path if path and folder and (folder.root / path).exists() else None,
    }


def best_row(state: StudyState, running: bool, folder: StudyDir) -> dict[str, Any]:
    """The best trial's object, with study, metric and mode.

    Raises:
        NoFiniteResult: no trial has one.
    """
    best = state.best()
    if best is None:
        raise NoFiniteResult(
            f"no trial of {state.created.name!r} has a finite {state.spec.metric} yet"
        )
    row = trial_row(best, state, running, folder)
    return row | {
        "study": state.created.name,
        "metric": state.spec.metric,
        "mode": state.spec.mode,
    }


def status_row(folder: StudyDir, state: StudyState) -> dict[str, Any]:
    """A study's status as the contract's JSON object."""
    owner = folder.running_driver()
    best = state.best()
    return {
        "study": folder.name,
        "state": "running" if owner else ("finished" if state.finished else "interrupted"),
        "total": state.total,
        "counts": count_states(state, owner is not None),
        "best": best.number if best else None,
        "driver": {"pid": owner.pid, "host": owner.host} if owner else None,
    }


def failure_causes(state: StudyState) -> dict[str, list[int]]:
    """Numbers of the failed trials by cause."""
    causes: dict[str, list[int]] = {}
    for trial in state.trials:
        if trial.state == "failed":
            causes.setdefault(trial.reason or "unknown", []).append(trial.number)
    return causes


def damaged_row(folder: StudyDir) -> dict[str, Any]:
    """What stands in a list of studies for one whose journal cannot be read."""
    unknown = dict.fromkeys(("total", "best", "driver"))
    return {"study": folder.name, "state": "damaged", "counts": {}, **unknown}


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Rows as CSV: params in columns of their own, without the list of epochs."""
    flat = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue().rstrip("\n")


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if name == "epochs":
            continue
        if isinstance(value, dict):
            prefix = "" if name == "params" else f"{name}."
            flat |= {f"{prefix}{key}": entry for key, entry in value.items()}
        else:
            flat[name] = value
    return flat


def short(value: Any) -> str:
    """A value for a table's cell."""
    if value is None:
        return "–"
    if isinstance(value, dict):
        return ", ".join(f"{count} {label}" for label, count in sorted(value.items()))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def as_table(title: str, rows: list[dict[str, Any]], columns: list[str]) -> Any:
    """A rich table of some columns; ``params`` is spread over one column each. What stands in
    brackets is text like any other, not rich's markup."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title) if title else None, title_justify="left", header_style="bold")
    names = list(dict.fromkeys(name for row in rows for name in row.get("params", {})))
    for column in [c for c in columns if c != "params"] + (names if "params" in columns else []):
        table.add_column(Text(column.replace("_", " ") if column in columns else column))
    for row in rows:
        cells = [short(row[c]) for c in columns if c != "params"]
        if "params" in columns:
            cells += [short(row["params"].get(name)) for name in names]
        table.add_row(*map(Text, cells))
    return table


def render(rows: list[dict[str, Any]] | dict[str, Any], form: str) -> str:
    """JSON or CSV text of one object or several."""
    if form == "json":
        return as_json(rows)
    return as_csv(rows if isinstance(rows, list) else [rows])
