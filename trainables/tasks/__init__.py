"""The tasks: what is predicted, how wrong a prediction is, which figures describe it.

A task is one file with one class of three methods (``Task`` in ``trainables.core.trainer``); it
never writes a loop. This file imports no torch: the command line checks names against it.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class TaskEntry:
    """A task by name: where its class is, and its metrics with the better direction of each."""

    location: str
    metrics: dict[str, str]

    def load(self) -> Any:
        """Imports the task's class (and torch) and makes one."""
        module, _, name = self.location.partition(":")
        return getattr(import_module(module), name)()


TASKS = {
    "text-classification": TaskEntry(
        "trainables.tasks.text_classification:TextClassification",
        {"val/accuracy": "max", "val/macro_f1": "max", "val/loss": "min"},
    ),
}
