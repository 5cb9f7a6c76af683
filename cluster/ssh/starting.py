"""Starting the nodes of a record: the head first, then all others at once."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from cluster.settings import SshSettings
from cluster.ssh.looking import host_of
from cluster.ssh.nodes import NodePlan
from cluster.ssh.record import Record, StartedNode, new_key
from cluster.ssh.remote import preparation
from cluster.ssh.survey import Survey, address_towards, in_parallel, remotes


def new_record(
    settings: SshSettings,
    file: Path,
    study: str,
    found: Sequence[Survey],
    hosts: Sequence[int] | None = None,
) -> Record:
    """Return the record of nodes that are to be started: on ``hosts``, by default on all."""
    key, scratch = new_key(), settings.storage.scratch.rstrip("/")
    chosen = range(len(found)) if hosts is None else hosts
    nodes = [StartedNode(i, f"{scratch}/sq-{key}-{i}", found[i].ip) for i in chosen]
    nodes.sort(key=lambda node: node.host != settings.head_index)
    return Record(key, str(file), settings.model_dump_json(), study, tuple(nodes))


def with_this_machine(record: Record, settings: SshSettings, found: Sequence[Survey]) -> Record:
    """Add a node without slots on this machine, unless the file lists it."""
    if any(one.is_this_machine for one in found):
        return record
    address = address_towards(found[settings.head_index].ip)
    here = StartedNode(None, f"/tmp/sq-{record.key}-d", address)
    return replace(record, nodes=(*record.nodes, here))


def start_head(settings: SshSettings, record: Record, found: Sequence[Survey], token: str) -> str:
    """Start a record's first node as the head; return the cluster's address.

    Raises:
        ClusterError: it could not be started.
    """
    return _plan(settings, record, record.nodes[0], found).start(settings, "", token)


def start_others(
    settings: SshSettings,
    record: Record,
    found: Sequence[Survey],
    token: str,
    tell: Callable[[str], None],
) -> None:
    """Start the nodes of a record, all at once, where a head has the record's address.

    Raises:
        ClusterError: one could not be started.
    """

    def start(node: StartedNode) -> None:
        plan = _plan(settings, record, node, found)
        plan.start(settings, record.address, token)
        slots = "no slots" if plan.cpus == 0 else f"{plan.cpus} CPUs"
        tell(f"{plan.remote.name}: node up, {slots}")

    in_parallel(start, record.nodes)


def _plan(
    settings: SshSettings, record: Record, node: StartedNode, found: Sequence[Survey]
) -> NodePlan:
    if node.host is None:
        return NodePlan(host_of(record, node), node.folder, node.ip, cpus=0, gpus=0)
    one, host = found[node.host], settings.hosts[node.host]
    cpus = one.cores if host.cpus is None else host.cpus
    return NodePlan(one.remote, node.folder, node.ip, cpus, host.gpus)


def start_commands(settings: SshSettings) -> list[str]:
    """Return every command that would start a whole cluster, with what is not known yet in <>."""
    lines = []
    for index, remote in enumerate(remotes(settings)):
        host, is_head = settings.hosts[index], index == settings.head_index
        folder = f"{settings.storage.scratch.rstrip('/')}/sq-<key>-{index}"
        plan = NodePlan(remote, folder, host.ip or "<its address>", host.cpus or 0, host.gpus)
        arguments = plan.arguments(settings, "" if is_head else "<the head's address>")
        arguments.append(f"--temp-dir={folder}")
        if host.cpus is None:
            arguments = [a.replace("--num-cpus=0", "--num-cpus=<cores>") for a in arguments]
        python = settings.environment.python or "python3"
        start = f"{python} -m ray.scripts.scripts start {' '.join(arguments)}"
        script = "; ".join([*preparation(settings.environment), start])
        lines.append(f"{shlex.join(remote.command())} <<< {shlex.quote(script)}")
    return lines
