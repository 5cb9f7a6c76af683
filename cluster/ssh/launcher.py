"""Brings a cluster of hosts up, and takes down what was brought up, and nothing else."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cluster.errors import ClusterError
from cluster.settings import SshSettings
from cluster.ssh.comparing import (
    A_HOST_THAT_IS_GONE,
    hosts_down,
    names_other_hosts,
    tell_changes,
)
from cluster.ssh.ending import sweep, take_down
from cluster.ssh.looking import head_of, host_of, look_at
from cluster.ssh.nodes import stop
from cluster.ssh.record import Record, Records
from cluster.ssh.starting import new_record, start_head, start_others, with_this_machine
from cluster.ssh.survey import Survey, survey
from cluster.status import NodeStatus


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
    tell: Callable[[str], None]

    def find_up(self) -> Record | None:
        """Return the cluster that ``up`` has brought up, whole or in part; else None.

        Raises:
            ClusterError: another process is about it.
        """
        up = next((one for one in self.records.of_file(self.file) if not one.study), None)
        if up is not None and up.is_being_started:
            raise ClusterError(_being_started(up))
        return up

    def up(self) -> None:
        """Bring the cluster up to stay, or what of it is down.

        Raises:
            ClusterError: it could not be done.
        """
        up = self.find_up()
        down: list[int] = []
        if up is not None:
            others = names_other_hosts(up, self.settings)
            down = [] if others else hosts_down(up, self.settings)
            if others or self.settings.head_index in down:
                # Without its head a cluster is none; with other hosts it is another.
                if not take_down(self.records, up, self.tell, listed=self._names()):
                    raise ClusterError(f"what was up before could not be taken down: {_GONE}")
                up = None
        if up is None:
            self.bring_up()
        elif down:
            self._start_again(up, down)
        else:
            self.tell(f"up already at {up.address}")
            tell_changes(up, self.settings, self.tell)

    def down(self, everything: bool = False) -> None:
        """Take down what ``up`` has brought up, and what searches that are gone have left behind.

        Args:
            everything: the nodes of searches too that still run, or that another machine started.

        Raises:
            ClusterError: something is left that could not be ended.
        """
        up = self.find_up()
        whole = sweep(self.records, self.file, self.tell, self._names())
        for record in list(self.records.of_file(self.file)):
            if record.study and not everything:
                self.tell(_kept(record, up))
            else:
                whole &= take_down(self.records, record, self.tell, listed=self._names())
        if not whole:
            raise ClusterError(f"not everything could be taken down: {_GONE}")

    def bring_up(self, study: str = "", detached: bool = False) -> Record:
        """Start a node on each host, and for a ``study`` one without slots on this machine.

        The driver of a ``detached`` study runs on the head, so this machine has no part in it.

        Raises:
            ClusterError: it could not be done, and nothing is left of it.
        """
        sweep(self.records, self.file, self.tell, self._names())
        found = survey(self.settings, driver_here=bool(study) and not detached)
        record = replace(new_record(self.settings, self.file, study, found), detached=detached)
        if study and not detached:
            record = with_this_machine(record, self.settings, found)
        return self._start(record, found, self.records.create(record))

    def join(self, up: Record, study: str) -> Record | None:
        """Start what a cluster that is up lacks for a study: nodes that are down, one here.

        Returns None where it lacks nothing.

        Raises:
            ClusterError: it could not be done, and nothing is left of it.
        """
        sweep(self.records, self.file, self.tell, self._names())
        down = self._lacking(up)
        found = survey(self.settings)
        record = new_record(self.settings, self.file, study, found, down)
        record = with_this_machine(record, self.settings, found)
        if not record.nodes:
            return None
        record = replace(record, address=up.address)
        self.records.create(record)
        return self._start(record, found, self.token_of(up))

    def beside(self, up: Record, study: str) -> Record:
        """Return the record of a study whose driver runs on the head of a cluster that is up: a
        folder of its own there, which no node is started in.

        Raises:
            ClusterError: a node of the cluster is down.
        """
        sweep(self.records, self.file, self.tell, self._names())
        down = self._lacking(up)
        if down:
            names = ", ".join(self.settings.hosts[index].name for index in down)
            raise ClusterError(f"{names} of the cluster is down: {self._command('up')} first")
        found = survey(self.settings, driver_here=False)
        head = self.settings.head_index
        record = new_record(self.settings, self.file, study, found, [head])
        record = replace(record, address=up.address, detached=True, is_beside=True)
        self.records.create(record)
        return record

    def _lacking(self, up: Record) -> list[int]:
        """Return the hosts on which a cluster that is up, with its head, has no running node.

        Raises:
            ClusterError: it has other hosts, or no head.
        """
        if names_other_hosts(up, self.settings):
            raise ClusterError(
                f"{self.file} names other hosts than are up: {self._command('up')} first"
            )
        down = hosts_down(up, self.settings)
        if self.settings.head_index in down:
            raise ClusterError(
                f"the head of the cluster that is up, {head_of(up).name}, has ended: take the "
                f"rest down with {self._command('down')}"
            )
        tell_changes(up, self.settings, self.tell)
        return down

    def _command(self, verb: str) -> str:
        return f"'seqtune cluster {verb} {shlex.quote(str(self.file))}'"

    def status(self) -> list[NodeStatus]:
        """Look at every node that was started from this file."""
        return [one for record in self.records.of_file(self.file) for one in look_at(record)]

    def _start(self, record: Record, found: Sequence[Survey], token: str) -> Record:
        """Start a record's nodes; take down what of them has started if one does not."""
        others = record
        try:
            if not record.address:
                address = start_head(self.settings, record, found, token)
                self.tell(f"{head_of(record).name}: head up at {address}")
                record = replace(record, address=address)
                self.records.write(record)
                others = replace(record, nodes=record.nodes[1:])
            start_others(self.settings, others, found, token, self.tell)
        except BaseException:
            take_down(self.records, record, self.tell)
            raise
        return record

    def token_of(self, record: Record) -> str:
        """Return the token of a cluster that was brought up."""
        return self.records.token_file(record.key).read_text(encoding="utf-8")

    def _start_again(self, up: Record, hosts: Sequence[int]) -> None:
        found = survey(self.settings, driver_here=False)
        nodes = tuple(node for node in up.nodes if node.host in hosts)
        for node in nodes:
            stop(host_of(up, node), node.folder, None)
        again = replace(up, nodes=nodes)
        start_others(self.settings, again, found, self.token_of(up), self.tell)

    def _names(self) -> list[str]:
        return [host.name for host in self.settings.hosts]


#: What to do about what could not be taken down.
_GONE = f"run the command again; {A_HOST_THAT_IS_GONE}"


def _being_started(record: Record) -> str:
    return (
        f"the cluster of {record.file} is being brought up by process {record.pid}: wait for it, "
        "or end it first"
    )


def _kept(record: Record, up: Record | None) -> str:
    """Say what becomes of a search."""
    if up is not None and record.address == up.address:
        return f"study {record.study!r} ran on this cluster: resume it when another is up"
    what = f"study {record.study!r} runs on nodes of its own: they end with it"
    if record.is_of_this_machine:
        return what
    return (
        f"study {record.study!r} was started on {record.machine.split()[0]}, from where its nodes "
        "end with it; if it is gone, --all takes them down"
    )
