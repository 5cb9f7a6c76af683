"""The declaration of a task: its metrics, hyperparameters and inputs, read without torch.

A search knows nothing else of a task. The ``Inputs`` of a task are the data that it reads. They own
tables of the study file, prepare the data in a folder that all trials map, and open that folder in
the process that trains.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from trainables.core.hyperparameters import Hyperparameters
from trainables.core.memory import DataShape
from trainables.data.spec import Section
from trainables.storage import Cache

if TYPE_CHECKING:
    import torch

    from trainables.core.batching import Reader
    from trainables.core.task import TaskContext

#: The better direction of a metric.
Mode = Literal["min", "max"]

#: The values that some trial may take, by hyperparameter: one value if it is fixed, several if it
#: is a choice, both ends of a range. A hyperparameter that is absent takes its default.
Options = Mapping[str, tuple[Any, ...]]


class TrialInputs(BaseModel):
    """The part of the prepared folder that one trial reads; plain JSON, sent to the trial.

    Attributes:
        settings: settings that only ``Inputs.open`` reads.
        files: files that the trial needs beside those that every prepared folder has, relative to
            the folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: dict[str, Any] = {}
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class PreparedInputs(ABC):
    """Data on this machine's disk, ready for every trial of one study file.

    Attributes:
        folder: its folder, named by the digest of the source and the settings it was made from.
        shape: properties of the data that the size of a model depends on.
        summary: one line for people, such as ``80 train, 10 validation, 10 test texts``.
        notes: sentences that a person should read before trusting a search over it.
        digests: anything else that trials start from, such as word vectors: its name, and a text
            that identifies it.
        examples: how many there are to train on; 0 where that is not known.
    """

    folder: Path
    shape: DataShape
    summary: str
    notes: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    examples: int = 0

    @property
    def key(self) -> str:
        """Digest that names the data."""
        return self.folder.name

    @abstractmethod
    def complete(self, configuration: dict[str, Any]) -> dict[str, Any]:
        """Add hyperparameters that the data determines, such as the width of given vectors."""

    @abstractmethod
    def of_trial(self, configuration: dict[str, Any]) -> TrialInputs:
        """Return the inputs of a trial with this configuration, as ``complete`` returned it."""

    @abstractmethod
    def training_steps(self) -> int:
        """Count the steps of the training part as they are read, without padding."""

    def preview(self) -> tuple[str, ...]:
        """Return what a person should see of the data before searching over it, line by line."""
        return ()

    @abstractmethod
    def shipped_files(self) -> tuple[str, ...]:
        """List the files in ``folder`` that another machine needs; never the test part."""


@dataclass(frozen=True)
class OpenedInputs:
    """The data that a trial trains and validates on, and the context of its model."""

    train: "Reader"
    validation: "Reader"
    context: "TaskContext"


class Inputs(ABC):
    """The kind of data that a task reads.

    A search calls ``check`` on the tables of a study file, and ``prepare`` before the first trial.
    Each trial calls ``open``.
    """

    #: The classes of the study file's tables that the inputs own, by name; one of them is ``data``.
    sections: ClassVar[Mapping[str, type[Section]]]

    @abstractmethod
    def prepare(
        self, tables: Mapping[str, dict[str, Any]], options: Options, cache: Cache
    ) -> PreparedInputs:
        """Read and convert all data that is not in the cache yet.

        Raises:
            DataError: the data is missing or cannot be learnt from.
        """

    @abstractmethod
    def open(
        self,
        folder: Path,
        inputs: TrialInputs,
        hyperparameters: Hyperparameters,
        device: "torch.device",
    ) -> OpenedInputs:
        """Open a prepared folder on the machine where a trial runs.

        Raises:
            DataError: a file in it is gone or damaged.
        """

    def check(self, tables: Mapping[str, dict[str, Any]], options: Options) -> str | None:
        """Return why these tables do not fit the hyperparameters, and the remedy; None if they do.

        It runs before any data is read.
        """
        return None

    def parse(self, tables: Mapping[str, dict[str, Any]]) -> dict[str, Section]:
        """Parse the tables into validated records with defaults filled in.

        Raises:
            pydantic.ValidationError: a key or a value is wrong.
        """
        return {
            name: section.model_validate(tables.get(name, {}))
            for name, section in self.sections.items()
        }


@dataclass(frozen=True)
class TaskDeclaration:
    """A task's description of itself, for the search.

    Attributes:
        metrics: its metrics as a study names them, each with its better direction; the first is
            the default. For instance ``{"val/accuracy": "max", "val/loss": "min"}``.
        hyperparameters: the class of its configurations.
        inputs: the data that it reads.
        unreported: returns the metrics that it does not report over data of this shape, each with
            the reason.
    """

    metrics: Mapping[str, Mode]
    hyperparameters: type[Hyperparameters]
    inputs: Inputs
    unreported: Callable[[DataShape], Mapping[str, str]] = lambda shape: {}
