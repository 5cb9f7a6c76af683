"""Looking at what was started: which nodes of a record run, and whether its driver does."""

import sys

from cluster.errors import ClusterError
from cluster.settings import Environment, SshSettings
from cluster.ssh.nodes import look
from cluster.ssh.record import Record, StartedNode
from cluster.ssh.remote import Remote
from cluster.ssh.survey import in_parallel, remotes
from cluster.status import NodeStatus

#: The beginning of a node's state, where its host is out of sight.
UNKNOWN = "unknown"


def host_of(record: Record, node: StartedNode) -> Remote:
    """Return the host of a node, as the file described it when it was started."""
    if node.host is None:
        return Remote(None, Environment(python=sys.executable))
    return remotes(SshSettings.model_validate_json(record.settings))[node.host]


def head_of(record: Record) -> Remote:
    """Return the host of a cluster's head."""
    return host_of(record, record.nodes[0])


def look_at(record: Record) -> list[NodeStatus]:
    """Look at every node of a cluster."""
    cluster = record.study or "up"
    if record.is_orphaned or driver_is_over(record):
        cluster += " (its search is over)"

    def one(node: StartedNode) -> NodeStatus:
        host = host_of(record, node)
        try:
            seen = look(host, node.folder)
            runs = seen["processes"] or seen["driver"]
            state = "up" if runs else ("ended" if seen["there"] else "gone")
        except ClusterError as error:
            state = f"{UNKNOWN}: {error}"
        return NodeStatus(cluster, host.name, state, node.folder, node.host)

    return in_parallel(one, record.nodes)


def driver_is_over(record: Record) -> bool:
    """Whether the driver of a detached study has ended, as far as can be seen from here.

    One that has never started is waited for while whoever starts it lives.
    """
    if not record.detached:
        return False
    try:
        seen = look(head_of(record), record.nodes[0].folder)
    except ClusterError:
        return False
    return not seen["driver"] if seen["launched"] else record.has_lost_its_process
