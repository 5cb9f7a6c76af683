"""What ``--cluster`` names."""

import re
from dataclasses import dataclass
from typing import Literal

from cluster.errors import ClusterError

_ADDRESS = re.compile(r"[A-Za-z0-9_.\-]+:\d{1,5}|auto")


@dataclass(frozen=True)
class ClusterConfig:
    """A kind of cluster, and the address of one that runs already."""

    kind: Literal["local", "address"]
    address: str = ""


def parse_cluster(text: str) -> ClusterConfig:
    """``local``, or ``HOST:PORT`` of a running Ray cluster's head (``auto``: this machine's).

    Raises:
        ClusterError: neither.
    """
    if text == "local":
        return ClusterConfig("local")
    if _ADDRESS.fullmatch(text):
        return ClusterConfig("address", text)
    raise ClusterError(
        f"--cluster {text!r}: write 'local', or HOST:PORT of a running Ray cluster ('auto' for "
        "the one on this machine)"
    )
