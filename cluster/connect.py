"""Connects this process to Ray and lets go of it again."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.config import ClusterConfig


@dataclass(frozen=True)
class Node:
    """What a machine of the cluster offers; memory in bytes."""

    cpus: int
    gpus: int
    memory: float


#: Read by Ray when it is imported. The working directory of a trial stays the study's, nothing is
#: reported to anybody, and every connection carries a token.
ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


#: For a cluster of this machine alone: without it Ray turns 127.0.0.1 into the address that other
#: machines see, and listens there.
LOOPBACK_ONLY = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


@contextmanager
def connect(config: ClusterConfig, packages: list[Path], cpus: int) -> Iterator[list[Node]]:
    """A connected Ray for the length of the block, and the nodes it has now.

    ``packages`` are the code folders that trials import; they are sent to a running cluster's
    nodes. ``cpus`` is how many a cluster of our own offers at least.

    Raises:
        ClusterError: no cluster at the address, or no token that it accepts.
    """
    os.environ.update({k: os.environ.get(k, v) for k, v in ENVIRONMENT.items()})
    if config.kind == "local":
        os.environ.update(LOOPBACK_ONLY)
    import ray

    from cluster import address, local

    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        if config.kind == "local":
            local.start(cpus)
        else:
            address.join(config.address, packages)
        yield _nodes()
    finally:
        ray.shutdown()


def _nodes() -> list[Node]:
    import ray

    alive = [n["Resources"] for n in ray.nodes() if n["Alive"]]  # type: ignore[no-untyped-call]
    return [
        Node(int(has.get("CPU", 0)), int(has.get("GPU", 0)), has.get("memory", 0.0))
        for has in alive
    ]
