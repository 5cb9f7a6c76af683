"""A task as a search knows it, before torch is there: metrics, hyperparameters, and inputs.

The ``Inputs`` of a task are the data that it reads. They own tables of the study file, turn them
into a folder that all trials map, and open that folder in the process that trains.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel

from trainables.core.hyperparameters import Hyperparameters
from trainables.core.memory import DataShape
from trainables.data.spec import Section
from trainables.storage import Cache

if TYPE_CHECKING:
    import torch

    from trainables.core.batching import Reader
    from trainables.core.task import TaskContext

#: The better end of a metric.
Mode = Literal["min", "max"]

#: The values that some trial may take, by hyperparameter: one where it is fixed, several where it
#: is a choice. What is not named takes its default, and a range is left out.
Options = Mapping[str, tuple[Any, ...]]


class TrialInputs(BaseModel):
    """The part of the prepared folder that one trial reads; plain JSON, sent to the trial.

    Attributes:
        settings: for ``Inputs.open`` alone.
        files: what must be there beside the folder's own files, relative to it.
    """

    settings: dict[str, Any] = {}
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class PreparedInputs(ABC):
    """Data on this machine's disk, ready for every trial of one study file.

    Attributes:
        folder: content-addressed; its name is the digest of what it was made from.
        shape: what the size of a model over it depends on.
        summary: one line for people, such as ``80 train, 10 validation, 10 test texts``.
        notes: sentences that a person should read before trusting a search over it.
        digests: whatever else trials start from, by name, each with what identifies it.
    """

    folder: Path
    shape: DataShape
    summary: str
    notes: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The digest that names the data."""
        return self.folder.name

    @abstractmethod
    def complete(self, configuration: dict[str, Any]) -> dict[str, Any]:
        """Add what the data decides to a configuration, such as the width of given vectors."""

    @abstractmethod
    def of_trial(self, configuration: dict[str, Any]) -> TrialInputs:
        """Return the inputs of a trial with this completed configuration."""

    @abstractmethod
    def training_steps(self) -> int:
        """Count the steps of the training part as they are read, padding left out."""

    @abstractmethod
    def shipped_files(self) -> tuple[str, ...]:
        """Name the files in ``folder`` that another machine needs; never the test part."""


@dataclass(frozen=True)
class OpenedInputs:
    """The data that a trial trains and validates on, and the context of its model."""

    train: "Reader"
    validation: "Reader"
    context: "TaskContext"


class Inputs(ABC):
    """The data that a task reads."""

    #: The tables of the study file that say what to read; one of them is ``data``.
    sections: ClassVar[Mapping[str, type[Section]]]

    @abstractmethod
    def prepare(
        self, tables: Mapping[str, dict[str, Any]], options: Options, cache: Cache
    ) -> PreparedInputs:
        """Read and convert whatever is not in the cache already.

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
        """Open a prepared folder where a trial runs.

        Raises:
            DataError: something in it is gone or damaged.
        """

    def check(self, tables: Mapping[str, dict[str, Any]], options: Options) -> str | None:
        """Say why these tables do not fit the hyperparameters, and what to do; None if they do."""
        return None

    def parse(self, tables: Mapping[str, dict[str, Any]]) -> dict[str, Section]:
        """Parse the tables into validated records, defaults filled in.

        Raises:
            pydantic.ValidationError: a key or a value is wrong.
        """
        return {
            name: section.model_validate(tables.get(name, {}))
            for name, section in self.sections.items()
        }


@dataclass(frozen=True)
class TaskDeclaration:
    """A task's own description, for the search.

    Attributes:
        metrics: its metrics as a study names them, each with its better end; the first is the
            default. For instance ``{"val/accuracy": "max", "val/loss": "min"}``.
        hyperparameters: the class of its configurations.
        inputs: what it reads.
    """

    metrics: Mapping[str, Mode]
    hyperparameters: type[Hyperparameters]
    inputs: Inputs
