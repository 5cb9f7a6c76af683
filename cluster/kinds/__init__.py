"""The kinds of clusters: one file each, and one line here."""

from cluster.errors import ClusterError
from cluster.kinds.address import Address
from cluster.kinds.base import ClusterKind
from cluster.kinds.local import Local

KINDS: tuple[type[ClusterKind], ...] = (Local, Address)


def parse_cluster(text: str) -> ClusterKind:
    """The cluster that ``--cluster TEXT`` names.

    Raises:
        ClusterError: no kind knows it.
    """
    for kind in KINDS:
        found = kind.parse(text)
        if found is not None:
            return found
    syntax = ", or ".join(kind.syntax for kind in KINDS)
    raise ClusterError(f"--cluster {text!r}: write {syntax}")
