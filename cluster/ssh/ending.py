"""Ending what was started, and nothing else."""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from cluster.errors import ClusterError
from cluster.ssh.looking import driver_is_over, host_of
from cluster.ssh.nodes import stop
from cluster.ssh.record import Record, Records, StartedNode
from cluster.ssh.survey import in_parallel

Tell = Callable[[str], None]


def take_down(
    records: Records,
    record: Record,
    tell: Tell,
    logs: Path | None = None,
    listed: Collection[str] | None = None,
) -> bool:
    """End all nodes of a cluster; return whether nothing is left of it.

    What cannot be reached stays in the record, for the next time; a host that the cluster file no
    longer names is forgotten then: its node ends by itself when it has lost its head.

    Args:
        tell: is given a line for people about each node that is left.
        logs: folder on this machine for those of the nodes; None to leave them.
        listed: the hosts that the cluster file names by now; None if it was not read anew.
    """

    def end(node: StartedNode) -> StartedNode | None:
        host = host_of(record, node)
        try:
            left = stop(host, node.folder, logs)
        except ClusterError as error:
            if listed is not None and host.host is not None and host.name not in listed:
                dropped = f"it is no longer in the file, so it is forgotten: {node.folder}"
                tell(f"{error}; {dropped}{_what_remains(record, node)}")
                return None
            tell(f"cannot take down the node on {error}")
            return node
        if left:
            tell(f"{host.name}: {left}")
            return node
        return None

    # The head last: nodes that have lost it wait for a minute.
    workers = in_parallel(end, record.nodes[1:]) if record.nodes else []
    remaining = [*in_parallel(end, record.nodes[:1]), *workers]
    left = tuple(node for node in remaining if node is not None)
    if left:
        records.write(replace(record, nodes=left))
    else:
        records.remove(record.key)
    return not left


def _what_remains(record: Record, node: StartedNode) -> str:
    """Say what a head needs that is forgotten: other nodes end when they have lost it."""
    is_head = node == record.nodes[0]
    return "; if that host is not gone, end its processes by hand" if is_head else ""


def sweep(records: Records, file: Path, tell: Tell, listed: Collection[str] | None = None) -> bool:
    """Take down what searches that are gone have left; return whether nothing of it is left."""
    whole = True
    for record in list(records.of_file(file)):
        if record.is_orphaned or driver_is_over(record):
            tell(f"taking down what study {record.study!r} has left behind")
            whole &= take_down(records, record, tell, listed=listed)
    return whole
