"""What a kind of cluster is: where a search runs."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self


@dataclass(frozen=True)
class StartRequest:
    """What a search needs of its cluster.

    Attributes:
        cpus: cores that a cluster of our own offers at least.
        packages: code folders that trials import.
    """

    cpus: int
    packages: tuple[Path, ...]


@dataclass(frozen=True)
class Node:
    """What a machine of the cluster offers; memory in bytes."""

    cpus: int
    gpus: int
    memory: float


class ClusterKind(ABC):
    """One cluster of one kind.

    ``check`` and ``offer`` are called first, then ``start``; ``stop`` in any case, whatever became
    of the search.
    """

    #: Whether trials run on this very machine, so that what it lacks can be told beforehand.
    is_this_machine: ClassVar[bool] = False
    #: Whether every node sees this machine's cache; where not, data travels through Ray.
    shares_files: ClassVar[bool] = False
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
    def start(self, request: StartRequest) -> None:
        """Connect this process to Ray.

        Raises:
            ClusterError: the cluster cannot be reached or started.
        """

    def stop(self) -> None:
        """Let go of Ray."""
        import ray

        ray.shutdown()

    @abstractmethod
    def __str__(self) -> str:
        """Where it is, for people."""
