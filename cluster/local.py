"""A Ray cluster of this machine alone, gone when the process that started it is."""

import logging
import os

from cluster.errors import ClusterError
from cluster.token import ensure_token

#: Trials read a memory-mapped corpus and write files; next to nothing goes through the store.
OBJECT_STORE_BYTES = 128 << 20


def usable_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0))


def check_cores(cpus_per_trial: int) -> None:
    """Makes sure that one trial fits on this machine.

    Raises:
        ClusterError: it asks for more cores than there are.
    """
    cores = usable_cores()
    if cpus_per_trial > cores:
        raise ClusterError(
            f"resources.cpus_per_trial = {cpus_per_trial}: this machine has {cores} cores"
        )


def start(cpus: int) -> None:
    """Starts Ray with at least ``cpus`` cores to give away, listening on this machine only."""
    import ray

    ensure_token()
    ray.init(
        address="local",
        num_cpus=max(cpus, usable_cores()),
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=OBJECT_STORE_BYTES,
        _node_ip_address="127.0.0.1",
    )
