"""The tasks: what is predicted, how wrong a prediction is, which figures describe it.

A task is one file with one class (``Task`` in ``trainables.core.task``); it never writes a loop.
This file imports no torch: the command line checks names against it.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from trainables.errors import TaskError, did_you_mean

if TYPE_CHECKING:
    from trainables.core.task import Task

#: What a name that leads nowhere, or a user's own file, raises when it is imported.
_WRONG = (ImportError, AttributeError, SyntaxError, NameError, TypeError, ValueError, OSError)

Labels = Literal["class", "number"]


@dataclass(frozen=True)
class TaskEntry:
    """A task by name: where its class is, its metrics with the better direction of each, what its
    labels are, and hyperparameters that mean nothing to it."""

    location: str
    directions: dict[str, str]
    labels: Labels = "class"
    unused: tuple[str, ...] = ()

    def load(self) -> "Callable[..., Task]":
        """Imports the task's class (and torch)."""
        found: Callable[..., Task] = _import(self.location)
        return found


TASKS = {
    "text-classification": TaskEntry(
        "trainables.tasks.text_classification:TextClassification",
        {"val/accuracy": "max", "val/macro_f1": "max", "val/auc": "max", "val/loss": "min"},
    ),
    "text-regression": TaskEntry(
        "trainables.tasks.text_regression:TextRegression",
        {"val/mae": "min", "val/rmse": "min", "val/r2": "max", "val/loss": "min"},
        "number",
        ("label_smoothing", "class_weights"),
    ),
}


def find_task(name: str) -> TaskEntry:
    """A task by its own name, or one of the user's as ``module:Class``.

    Raises:
        TaskError: there is none, or the class does not say what a task must.
    """
    if name in TASKS:
        return TASKS[name]
    if ":" not in name:
        hint = did_you_mean(name, list(TASKS))
        raise TaskError(f"no task {name!r}: {hint}; one of your own is named 'module:Class'")
    task = _import(name)
    needed = ("directions", "labels", "build", "losses", "metrics")
    missing = [what for what in needed if not hasattr(task, what)]
    if missing:
        raise TaskError(f"task {name!r} has no {missing[0]!r}: see trainables/core/task.py")
    directions = dict(task.directions)
    if not set(directions.values()) <= {"min", "max"} or task.labels not in ("class", "number"):
        raise TaskError(
            f"task {name!r}: labels must be 'class' or 'number', and each of directions 'min' or "
            "'max'"
        )
    return TaskEntry(name, directions, task.labels, tuple(getattr(task, "unused", ())))


def code_of(name: str) -> Path | None:
    """The file or package folder of a task of the user's own; None for those of this package."""
    if name in TASKS:
        return None
    _import(name)
    top = sys.modules[name.partition(":")[0].partition(".")[0]]
    folders = list(getattr(top, "__path__", ()))
    return Path(folders[0] if folders else str(top.__file__))


def _import(location: str) -> Any:
    """The class at ``module:Class``; modules in the current folder are found too."""
    module, _, name = location.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        return getattr(import_module(module), name)
    except _WRONG as error:
        what = f"{type(error).__name__}: {error}"
        raise TaskError(f"cannot import task {location!r}: {what}") from error
