"""Brings a cluster of hosts up, and takes down what was brought up, and nothing else."""

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cluster.errors import ClusterError
from cluster.settings import Environment, SshSettings
from cluster.ssh.nodes import NodePlan, look, stop
from cluster.ssh.record import Record, Records, StartedNode, new_key
from cluster.ssh.remote import Remote, preparation
from cluster.ssh.survey import Survey, address_towards, in_parallel, remotes, survey
from cluster.status import NodeStatus

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Launcher:
    """The hosts of one cluster file.

    Attributes:
        file: the cluster file, by its whole path.
        tell: is given a line for people whenever something has happened.
    """

    settings: SshSettings
    file: Path
    records: Records
    tell: Tell

    def find_up(self) -> Record | None:
        """Return the cluster that ``cluster up`` has brought up, whole or in part; else None."""
        return next((one for one in self.records.of_file(self.file) if not one.study), None)

    def up(self) -> None:
        """Bring the cluster up to stay, or what of it is down.

        Raises:
            ClusterError: it could not be done.
        """
        up = self.find_up()
        down = self._down(up) if up else []
        if up is not None and (self._has_changed(up) or self.settings.head_index in down):
            # Without its head a cluster is none; with other hosts it is another.
            if not self.take_down(up, None):
                raise ClusterError("what was up before could not be taken down: run it again")
            up = None
        if up is None:
            self.bring_up()
        elif down:
            self._start_again(up, down)
        else:
            self.tell(f"up already at {up.address}")

    def _has_changed(self, record: Record) -> bool:
        """Whether the file names other hosts than it did when a cluster was brought up."""
        before = SshSettings.model_validate_json(record.settings)
        return [host.name for host in before.hosts] != [host.name for host in self.settings.hosts]

    def _start_again(self, up: Record, hosts: Sequence[int]) -> None:
        found = survey(self.settings)
        token = self.records.token_file(up.key).read_text()
        nodes = tuple(node for node in up.nodes if node.host in hosts)
        for node in nodes:
            stop(self._remote(up, node), node.folder, None)
        self._start_all(replace(up, nodes=nodes), found, token)

    def down(self) -> None:
        """Take down what ``up`` has brought up, and what searches that are gone have left behind.

        Raises:
            ClusterError: something is left that could not be ended.
        """
        whole = self.sweep()
        for record in list(self.records.of_file(self.file)):
            if record.study:
                self.tell(f"study {record.study!r} runs on nodes of its own: they end with it")
            else:
                whole &= self.take_down(record, None)
        if not whole:
            raise ClusterError("not everything could be taken down: run the command again")

    def bring_up(self, study: str = "", detached: bool = False) -> Record:
        """Start a node on each host, and for a ``study`` one without slots on this machine.

        The driver of a ``detached`` study runs on the head, so this machine has no part in it.

        Raises:
            ClusterError: it could not be done, and nothing is left of it.
        """
        self.sweep()
        found = survey(self.settings)
        here = bool(study) and not detached and not _has_this_machine(found)
        record = self._new_record(study, found, range(len(found)), here)
        record = replace(record, detached=detached)
        token = self.records.create(record)
        try:
            return self._start_all(record, found, token)
        except BaseException:
            self.take_down(record, None)
            raise

    def join(self, up: Record, study: str) -> Record | None:
        """Start what a cluster that is up lacks for a study: nodes that are down, one here.

        Returns None where it lacks nothing.

        Raises:
            ClusterError: it could not be done, and nothing is left of it.
        """
        self.sweep()
        if self._has_changed(up):
            raise ClusterError(
                f"{self.file} names other hosts than are up: 'seqtune cluster up {self.file}' first"
            )
        found = survey(self.settings)
        down = self._down(up)
        if self.settings.head_index in down:
            raise ClusterError(
                f"the head of the cluster that is up, {self._name(up, up.nodes[0])}, has ended: "
                f"take the rest down with 'seqtune cluster down {self.file}'"
            )
        record = self._new_record(study, found, down, not _has_this_machine(found))
        if not record.nodes:
            return None
        record = replace(record, address=up.address)
        self.records.create(record)
        token = self.records.token_file(up.key).read_text()
        try:
            return self._start_all(record, found, token)
        except BaseException:
            self.take_down(record, None)
            raise

    def _new_record(
        self, study: str, found: Sequence[Survey], hosts: Sequence[int], here: bool
    ) -> Record:
        """Return the record of nodes on some hosts, and of one ``here`` without slots."""
        key, scratch = new_key(), self.settings.storage.scratch.rstrip("/")
        nodes = [StartedNode(i, f"{scratch}/sq-{key}-{i}", found[i].ip) for i in hosts]
        nodes.sort(key=lambda node: node.host != self.settings.head_index)
        if here:
            head = found[self.settings.head_index].ip
            nodes.append(StartedNode(None, f"/tmp/sq-{key}-d", address_towards(head)))
        return Record(key, str(self.file), self.settings.model_dump_json(), study, tuple(nodes))

    def _start_all(self, record: Record, found: Sequence[Survey], token: str) -> Record:
        plans = [self._plan(record, node, found) for node in record.nodes]
        if not record.address:
            address = plans[0].start(self.settings, "", token)
            self.tell(f"{plans[0].remote.name}: head up at {address}")
            record = replace(record, address=address)
            self.records.write(record)
            plans = plans[1:]

        def start(plan: NodePlan) -> None:
            plan.start(self.settings, record.address, token)
            slots = "no slots" if plan.cpus == 0 else f"{plan.cpus} CPUs"
            self.tell(f"{plan.remote.name}: node up, {slots}")

        in_parallel(start, plans)
        return record

    def _plan(self, record: Record, node: StartedNode, found: Sequence[Survey]) -> NodePlan:
        if node.host is None:
            return NodePlan(self._remote(record, node), node.folder, node.ip, cpus=0, gpus=0)
        one, host = found[node.host], self.settings.hosts[node.host]
        cpus = one.cores if host.cpus is None else host.cpus
        return NodePlan(one.remote, node.folder, node.ip, cpus, host.gpus)

    def _remote(self, record: Record, node: StartedNode) -> Remote:
        """Return the host of a node, as the file described it when it was started."""
        if node.host is None:
            return Remote(None, Environment(python=sys.executable))
        return remotes(SshSettings.model_validate_json(record.settings))[node.host]

    def head(self, record: Record) -> Remote:
        """Return the host of a cluster's head."""
        return self._remote(record, record.nodes[0])

    def _name(self, record: Record, node: StartedNode) -> str:
        return self._remote(record, node).name

    def _down(self, record: Record) -> list[int]:
        """Return the hosts of the file on which the cluster has no running node."""
        up = {one.host for one in self._look(record) if one.state == "up"}
        return [index for index in range(len(self.settings.hosts)) if index not in up]

    def status(self) -> list[NodeStatus]:
        """Look at every node that was started from this file."""
        return [one for record in self.records.of_file(self.file) for one in self._look(record)]

    def _look(self, record: Record) -> list[NodeStatus]:
        cluster = record.study or "up"
        if record.is_orphaned:
            cluster += " (its search is gone)"

        def one(node: StartedNode) -> NodeStatus:
            try:
                seen = look(self._remote(record, node), node.folder)
                state = "up" if seen["processes"] else ("ended" if seen["there"] else "gone")
            except ClusterError as error:
                state = f"unknown: {error}"
            return NodeStatus(cluster, self._name(record, node), state, node.folder, node.host)

        return in_parallel(one, record.nodes)

    def commands(self) -> list[str]:
        """Return every command that ``bring_up`` would run, with what is not known yet in <>."""
        lines = []
        for index, remote in enumerate(remotes(self.settings)):
            host, is_head = self.settings.hosts[index], index == self.settings.head_index
            folder = f"{self.settings.storage.scratch.rstrip('/')}/sq-<key>-{index}"
            plan = NodePlan(remote, folder, host.ip or "<its address>", host.cpus or 0, host.gpus)
            arguments = plan.arguments(self.settings, "" if is_head else "<the head's address>")
            if host.cpus is None:
                arguments = [a.replace("--num-cpus=0", "--num-cpus=<cores>") for a in arguments]
            python = self.settings.environment.python or "python3"
            start = f"{python} -m ray.scripts.scripts start {' '.join(arguments)}"
            script = "; ".join([*preparation(self.settings.environment), start])
            lines.append(f"{shlex.join(remote.command())} <<< {shlex.quote(script)}")
        return lines

    def _driver_is_over(self, record: Record) -> bool:
        """Whether the driver of a detached study has ended, as far as can be seen from here.

        One that has never started is waited for while whoever starts it lives.
        """
        if not record.detached:
            return False
        try:
            seen = look(self.head(record), record.nodes[0].folder)
        except ClusterError:
            return False
        return not seen["driver"] if seen["launched"] else record.has_lost_its_process

    def sweep(self) -> bool:
        """Take down what searches that are gone have left; return whether nothing of it is left."""
        whole = True
        for record in list(self.records.of_file(self.file)):
            if record.is_orphaned or self._driver_is_over(record):
                self.tell(f"taking down what study {record.study!r} has left behind")
                whole &= self.take_down(record, None)
        return whole

    def take_down(self, record: Record, logs: Path | None) -> bool:
        """End all nodes of a cluster and fetch their logs; return whether nothing is left.

        What cannot be reached stays in the record, for the next time.
        """

        def end(node: StartedNode) -> StartedNode | None:
            try:
                left = stop(self._remote(record, node), node.folder, logs)
            except ClusterError as error:
                self.tell(f"cannot take down the node on {error}")
                return node
            if left:
                self.tell(f"{self._name(record, node)}: {left}")
                return node
            return None

        # The head last: nodes that have lost it wait for a minute.
        workers = in_parallel(end, record.nodes[1:]) if record.nodes else []
        remaining = [*in_parallel(end, record.nodes[:1]), *workers]
        left = tuple(node for node in remaining if node is not None)
        if left:
            self.records.write(replace(record, nodes=left))
        else:
            self.records.remove(record.key)
        return not left


def _has_this_machine(found: Sequence[Survey]) -> bool:
    return any(one.is_this_machine for one in found)
