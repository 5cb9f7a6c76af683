"""The registry of tasks.

A task is one file with one class (``Task`` in ``trainables.core.task``); it never writes a training
loop. This file imports no torch, because the command line checks study files against it. A class
that declares too little is refused, with the remedy.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.core.hyperparameters import Hyperparameters
from trainables.errors import TaskError, did_you_mean
from trainables.networks.hyperparameters import (
    RecurrentClassifierHyperparameters,
    RecurrentHyperparameters,
)
from trainables.tasks.class_metrics import unreported
from trainables.tasks.declaration import TaskDeclaration
from trainables.tasks.text_inputs import TextInputs

if TYPE_CHECKING:
    from trainables.core.task import Task

#: Exceptions that the import of a wrong name, or of a user's faulty file, raises.
_WRONG = (
    ImportError,
    AttributeError,
    SyntaxError,
    NameError,
    TypeError,
    ValueError,
    LookupError,
    RuntimeError,
    OSError,
)

#: Methods that a task's class must have beside its declaration.
_METHODS = ("build", "losses", "metrics")

#: Methods that its class of hyperparameters must override, for memory is estimated by them.
_MEMORY = ("parameter_count", "activation_bytes_per_step")

#: The task of a study file that names no task.
DEFAULT_TASK = "text-classification"


@dataclass(frozen=True)
class TaskEntry:
    """A registered task.

    Attributes:
        location: its class, as ``module:Class``.
        declaration: its description of itself.
    """

    location: str
    declaration: TaskDeclaration

    def load(self) -> "Callable[..., Task]":
        """Import the task's class, and torch with it."""
        found: Callable[..., Task] = _import(self.location)
        return found


TASKS = {
    "text-classification": TaskEntry(
        "trainables.tasks.text_classification:TextClassification",
        TaskDeclaration(
            metrics={
                "val/accuracy": "max",
                "val/macro_f1": "max",
                "val/auc": "max",
                "val/loss": "min",
            },
            hyperparameters=RecurrentClassifierHyperparameters,
            inputs=TextInputs("class"),
            unreported=unreported,
        ),
    ),
    "text-regression": TaskEntry(
        "trainables.tasks.text_regression:TextRegression",
        TaskDeclaration(
            metrics={"val/mae": "min", "val/rmse": "min", "val/r2": "max", "val/loss": "min"},
            hyperparameters=RecurrentHyperparameters,
            inputs=TextInputs("number"),
        ),
    ),
}


def find_task(name: str) -> TaskEntry:
    """Find a built-in task by its name, or a user's own task as ``module:Class``.

    Raises:
        TaskError: there is no such task, or the class lacks something that a task must have.
    """
    if name in TASKS:
        return TASKS[name]
    if ":" not in name:
        hint = did_you_mean(name, list(TASKS))
        raise TaskError(f"no task {name!r}: {hint}; one of your own is named 'module:Class'")
    task = _import(name)
    declaration = getattr(task, "declaration", None)
    if not isinstance(declaration, TaskDeclaration):
        raise TaskError(
            f"task {name!r} has no declaration: give its class the attribute "
            "'declaration = TaskDeclaration(metrics=…, hyperparameters=…, inputs=…)' "
            "(see trainables/tasks/declaration.py)"
        )
    missing = [method for method in _METHODS if not callable(getattr(task, method, None))]
    if missing:
        raise TaskError(f"task {name!r} has no method {missing[0]!r}: see trainables/core/task.py")
    _check_declaration(name, declaration)
    return TaskEntry(name, declaration)


def _check_declaration(name: str, declaration: TaskDeclaration) -> None:
    metrics, kind = declaration.metrics, declaration.hyperparameters
    if not metrics or not set(metrics.values()) <= {"min", "max"}:
        raise TaskError(
            f"task {name!r}: declaration.metrics must name each metric with 'min' or 'max'"
        )
    bare = [metric for metric in metrics if not metric.startswith("val/")]
    if bare:
        raise TaskError(
            f"task {name!r}: its metric {bare[0]!r} must be declared as 'val/{bare[0]}', for it is "
            "of the validation part"
        )
    silent = [
        method for method in _MEMORY if getattr(kind, method) is getattr(Hyperparameters, method)
    ]
    if silent:
        raise TaskError(
            f"task {name!r}: {kind.__name__} must say {silent[0]}, so that memory is known before "
            "a trial starts (see trainables/core/hyperparameters.py)"
        )


def code_of(name: str) -> Path | None:
    """Return the file or package folder of a user's own task; None for a built-in one."""
    if name in TASKS:
        return None
    _import(name)
    top = sys.modules[name.partition(":")[0].partition(".")[0]]
    folders = list(getattr(top, "__path__", ()))
    return Path(folders[0] if folders else str(top.__file__))


def _import(location: str) -> Any:
    """Import the class at ``module:Class``; modules in the current folder are found too."""
    module, _, name = location.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:  # at the end, so that no file here hides an installed module
        sys.path.append(here)
    try:
        return getattr(import_module(module), name)
    except _WRONG as error:
        what = f"{type(error).__name__}: {error}"
        raise TaskError(f"cannot import task {location!r}: {what}") from error
