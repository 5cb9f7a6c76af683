"""Brings a cluster of hosts up, and takes down what was brought up, and nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cluster.errors import ClusterError
from cluster.settings import SshSettings
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
        """Return the cluster that ``up`` has brought up, whole or in part; else None."""
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
            if not take_down(self.records, up, self.tell):
                raise ClusterError("what was up before could not be taken down: run it again")
            up = None
        if up is None:
            self.bring_up()
        elif down:
            self._start_again(up, down)
        else:
            self.tell(f"up already at {up.address}")

    def down(self) -> None:
        """Take down what ``up`` has brought up, and what searches that are gone have left behind.

        Raises:
            ClusterError: something is left that could not be ended.
        """
        whole = sweep(self.records, self.file, self.tell)
        for record in list(self.records.of_file(self.file)):
            if record.study:
                self.tell(f"study {record.study!r} runs on nodes of its own: they end with it")
            else:
                whole &= take_down(self.records, record, self.tell)
        if not whole:
            raise ClusterError("not everything could be taken down: run the command again")

    def bring_up(self, study: str = "", detached: bool = False) -> Record:
        """Start a node on each host, and for a ``study`` one without slots on this machine.

        The driver of a ``detached`` study runs on the head, so this machine has no part in it.

        Raises:
            ClusterError: it could not be done, and nothing is left of it.
        """
        sweep(self.records, self.file, self.tell)
        found = survey(self.settings)
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
        sweep(self.records, self.file, self.tell)
        if self._has_changed(up):
            raise ClusterError(
                f"{self.file} names other hosts than are up: 'seqtune cluster up {self.file}' first"
            )
        found = survey(self.settings)
        down = self._down(up)
        if self.settings.head_index in down:
            raise ClusterError(
                f"the head of the cluster that is up, {head_of(up).name}, has ended: "
                f"take the rest down with 'seqtune cluster down {self.file}'"
            )
        record = new_record(self.settings, self.file, study, found, down)
        record = with_this_machine(record, self.settings, found)
        if not record.nodes:
            return None
        record = replace(record, address=up.address)
        self.records.create(record)
        return self._start(
            record, found, self.records.token_file(up.key).read_text(encoding="utf-8")
        )

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

    def _start_again(self, up: Record, hosts: Sequence[int]) -> None:
        found = survey(self.settings)
        token = self.records.token_file(up.key).read_text(encoding="utf-8")
        nodes = tuple(node for node in up.nodes if node.host in hosts)
        for node in nodes:
            stop(host_of(up, node), node.folder, None)
        start_others(self.settings, replace(up, nodes=nodes), found, token, self.tell)

    def _has_changed(self, record: Record) -> bool:
        """Whether the file names other hosts than it did when a cluster was brought up."""
        before = SshSettings.model_validate_json(record.settings)
        return [host.name for host in before.hosts] != [host.name for host in self.settings.hosts]

    def _down(self, record: Record) -> list[int]:
        """Return the hosts of the file on which the cluster has no running node."""
        up = {one.host for one in look_at(record) if one.state == "up"}
        return [index for index in range(len(self.settings.hosts)) if index not in up]
