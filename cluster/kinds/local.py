"""A Ray cluster of this machine alone, gone when the process that started it is."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from cluster.errors import ClusterError
from cluster.job import job_config
from cluster.kinds.base import ClusterKind, Node, StartRequest
from cluster.token import ensure_token

#: Trials read memory-mapped data and write files; next to nothing goes through the object store.
OBJECT_STORE_BYTES = 128 << 20


class Local(ClusterKind):
    """This machine."""

    is_this_machine = True
    shares_files = True
    syntax = "'local'"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """``local``."""
        return cls() if text == "local" else None

    def check(self, cpus_per_trial: int) -> None:
        """One trial must fit on this machine."""
        cores = usable_cores()
        if cpus_per_trial > cores:
            raise ClusterError(
                f"resources.cpus_per_trial = {cpus_per_trial}: this machine has {cores} cores"
            )

    def offer(self, request: StartRequest) -> list[Node]:
        """This machine, with the memory that Ray would find free."""
        from ray._private.accelerators import get_accelerator_manager_for_resource
        from ray._private.utils import estimate_available_memory

        manager = get_accelerator_manager_for_resource("GPU")
        gpus = manager.get_current_node_num_accelerators() if manager else 0
        free = estimate_available_memory()  # type: ignore[no-untyped-call]
        return [Node(max(request.cpus, usable_cores()), gpus, float(free - OBJECT_STORE_BYTES))]

    @contextmanager
    def running(self, request: StartRequest) -> Iterator[None]:
        """Start Ray, listening on this machine only."""
        import ray

        ensure_token()
        try:
            self._start(request)
            yield
        finally:
            ray.shutdown()

    def _start(self, request: StartRequest) -> None:
        import ray

        try:
            ray.init(
                address="local",
                num_cpus=max(request.cpus, usable_cores()),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=OBJECT_STORE_BYTES,
                _node_ip_address="127.0.0.1",
                job_config=job_config(),
            )
        except Exception as error:  # Ray raises nothing narrower where a part of it does not start
            raise ClusterError(_why_not_started(error)) from error

    def __str__(self) -> str:
        return "this machine"


def _why_not_started(error: Exception) -> str:
    cause = (str(error).strip().splitlines() or [type(error).__name__])[0]
    folder = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    if "AF_UNIX path length" in cause:
        remedy = f"{folder} is too long a path for Ray's sockets: set RAY_TMPDIR to a short one"
    else:
        remedy = (
            f"its logs are in {folder}/ray/session_latest/logs; does {folder} take new files "
            "(RAY_TMPDIR names another), and is there memory left?"
        )
    return f"Ray did not start on this machine: {cause}; {remedy}"


def usable_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0))
