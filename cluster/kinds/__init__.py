"""The kinds of clusters: one file each, and one line here."""

from pathlib import Path

from cluster.errors import ClusterError
from cluster.kinds.address import Address
from cluster.kinds.base import ClusterKind
from cluster.kinds.local import Local
from cluster.kinds.ssh import Ssh
from cluster.settings import AddressSettings, SshSettings, read_cluster_file

KINDS: tuple[type[ClusterKind], ...] = (Local, Address, Ssh)


def parse_cluster(text: str) -> ClusterKind:
    """The cluster that ``--cluster TEXT`` names.

    Raises:
        ClusterError: no kind knows it, or its file is wrong.
    """
    path = Path(text).expanduser()
    if text.endswith(".toml"):
        return read_cluster(path)
    for kind in KINDS:
        found = kind.parse(text)
        if found is not None:
            return found
    if path.is_file():
        return read_cluster(path)
    syntax = ", ".join(kind.syntax for kind in KINDS if kind is not Ssh)
    raise ClusterError(f"--cluster {text!r}: write {syntax}, or a cluster file")


def read_cluster(path: Path) -> ClusterKind:
    """The cluster of a cluster file.

    Raises:
        ClusterError: something in the file is wrong.
    """
    match read_cluster_file(path):
        case SshSettings() as settings:
            return Ssh(settings, path.resolve())
        case AddressSettings() as settings:
            return Address(settings.address)
        case _:
            return Local()
