"""Hosts that are reached over ssh: a search brings up what is down, and takes that down again."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cluster.errors import ClusterError
from cluster.joining import joined
from cluster.kinds.base import ClusterKind, Launchable, StartRequest
from cluster.settings import SshSettings
from cluster.ssh.guardian import Guardian
from cluster.ssh.launcher import Launcher
from cluster.ssh.record import Record, Records
from cluster.ssh.starting import start_commands
from cluster.ssh.survey import own_addresses
from cluster.status import NodeStatus


@dataclass(frozen=True)
class Ssh(ClusterKind, Launchable):
    """The hosts of a cluster file."""

    settings: SshSettings
    file: Path
    syntax = "a cluster file with kind = 'ssh'"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Nothing: hosts are named in a file alone."""
        return None

    @property
    def drives_itself(self) -> bool:  # type: ignore[override]
        """As the file says."""
        return self.settings.driver == "head"

    def launcher(self, tell: Callable[[str], None]) -> Launcher:
        """Return what brings the hosts up and takes them down."""
        return Launcher(self.settings, self.file, Records.of_user(), tell)

    @contextmanager
    def running(self, request: StartRequest) -> Iterator[None]:
        """Bring up what is down, connect to the head, and take down what was brought up."""
        launcher = self.launcher(request.tell)
        guardian = Guardian(self.file, request.logs / "nodes")
        try:
            up = launcher.find_up()
            record = launcher.join(up, request.study) if up else launcher.bring_up(request.study)
            whole = up or record
            assert whole is not None
            token = launcher.records.token_file(whole.key)
            address = record.address if record else whole.address
            with (
                _environment(token, address),
                joined(address, request.packages, node_ip=_own_ip(record, up)),
            ):
                yield
        finally:
            guardian.dismiss(request.tell)

    def up(self, tell: Callable[[str], None]) -> None:
        """Start a node on every host that has none."""
        self.launcher(tell).up()

    def down(self, tell: Callable[[str], None], everything: bool = False) -> None:
        """End the nodes that ``up`` has started, and what searches that are gone have left."""
        self.launcher(tell).down(everything)

    def status(self) -> list[NodeStatus]:
        """Look at every node that was started from this file."""
        return self.launcher(lambda line: None).status()

    def commands(self) -> list[str]:
        """Every ssh command, with the script that its host is given."""
        return start_commands(self.settings)

    def __str__(self) -> str:
        return f"{len(self.settings.hosts)} hosts of {self.file.name}"


def _own_ip(*records: Record | None) -> str:
    """Return the address of this machine's node: a host of the file, or the one that has joined."""
    own = own_addresses()
    nodes = [node for record in records if record for node in record.nodes]
    found = next((node.ip for node in nodes if node.ip in own), None)
    if found is None:
        raise ClusterError("no node of the cluster is on this machine: is its address in the file?")
    return found


@contextmanager
def _environment(token: Path, address: str) -> Iterator[None]:
    """Make this process's Ray show the cluster's token, and talk to it without a proxy."""
    wanted = {
        "RAY_AUTH_TOKEN": None,
        "RAY_AUTH_TOKEN_PATH": str(token),
        "no_grpc_proxy": address.rpartition(":")[0],
    }
    before = {name: os.environ.get(name) for name in wanted}
    _set(wanted)
    try:
        yield
    finally:
        _set(before)


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
