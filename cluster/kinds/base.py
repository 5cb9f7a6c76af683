"""What a kind of cluster is: where a search runs."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from cluster.status import NodeStatus


@dataclass(frozen=True)
class StartRequest:
    """What a search needs of its cluster.

    Attributes:
        study: the study's name.
        cpus: cores that a cluster of our own offers at least.
        packages: code folders that trials import.
        logs: where the logs of nodes go, in a folder that is there once the study has begun.
        tell: is given a line for people when something has happened.
    """

    study: str
    cpus: int
    packages: tuple[Path, ...]
    logs: Path
    tell: Callable[[str], None]


@dataclass(frozen=True)
class Node:
    """What a machine of the cluster offers; memory in bytes."""

    cpus: int
    gpus: int
    memory: float


class Launchable(ABC):
    """A cluster whose machines we start and end ourselves."""

    @abstractmethod
    def up(self, tell: Callable[[str], None]) -> None:
        """Bring up what is down, to stay.

        Raises:
            ClusterError: it could not be done.
        """

    @abstractmethod
    def down(self, tell: Callable[[str], None], everything: bool = False) -> None:
        """Take down what was brought up, and what searches that are gone have left behind.

        Args:
            everything: the nodes of searches too that still run, or that another machine started.

        Raises:
            ClusterError: something is left.
        """

    @abstractmethod
    def status(self) -> list[NodeStatus]:
        """Return every node that was started and not taken down."""


class ClusterKind(ABC):
    """One cluster of one kind.

    ``check`` and ``offer`` are called first, then ``running``.
    """

    #: Whether trials run on this very machine, so that what it lacks can be told beforehand.
    is_this_machine: ClassVar[bool] = False
    #: Whether it is there whether we search or not, so that looking at it starts nothing.
    runs_already: ClassVar[bool] = False
    #: Whether every node sees this machine's cache; where not, data travels through Ray.
    shares_files: ClassVar[bool] = False
    #: Whether the driver runs on a machine of the cluster and not here.
    drives_itself: bool = False
    #: What ``--cluster`` takes for this kind.
    syntax: ClassVar[str]

    @classmethod
    @abstractmethod
    def parse(cls, text: str) -> Self | None:
        """The cluster that ``--cluster TEXT`` names, if it is of this kind."""

    def check(self, cpus_per_trial: int) -> None:  # noqa: B027 - most kinds know nothing before
        """Refuse what this cluster cannot give, before anything starts.

        Raises:
            ClusterError: what it lacks.
        """

    def offer(self, request: StartRequest) -> list[Node]:
        """Return the nodes that it will have, where that is known before it starts; else none."""
        return []

    @abstractmethod
    def running(self, request: StartRequest) -> AbstractContextManager[None]:
        """Connect this process to Ray for the length of the block, and let go of it again.

        Raises:
            ClusterError: the cluster cannot be reached or started.
        """

    def commands(self) -> list[str]:
        """Return the commands that ``running`` runs, for ``--dry-run``."""
        return []

    @abstractmethod
    def __str__(self) -> str:
        """Where it is, for people."""
