"""A node of ours, as people are shown it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NodeStatus:
    """A node as ``seqtune cluster status`` shows it.

    Attributes:
        cluster: ``up``, or the study that it was brought up for.
        state: ``up``, ``ended`` (its folder is left), ``gone`` or ``unknown``, and why.
        host: its number in the cluster file; None for this machine.
    """

    cluster: str
    node: str
    state: str
    folder: str
    host: int | None
