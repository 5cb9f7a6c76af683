"""A Ray cluster of this machine alone, gone when the process that started it is."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from cluster.cores import usable_cores
from cluster.errors import ClusterError
from cluster.job import job_config
from cluster.kinds.base import ClusterKind, Node, StartRequest
from cluster.own_folder import own_folder
from cluster.token import ensure_token

#: Trials read memory-mapped data and write files; next to nothing goes through the object store.
OBJECT_STORE_BYTES = 128 << 20

#: Ray's own folder, in one that is this user's alone. Paths of sockets are short.
_SESSIONS, _PREFIX = "r", "seqt-"


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
        """Start Ray, listening on this machine only, in a folder of its own.

        The folder, of some megabytes, is this user's alone. It is removed at the end. That of a
        search that was killed, interrupted or failed stays until the next, for Ray's logs in it may
        tell why.
        """
        import ray

        ensure_token()
        with own_folder(_PREFIX, stays_after_errors=True) as folder:
            try:
                self._start(request, folder)
                yield
            finally:
                ray.shutdown()

    def _start(self, request: StartRequest, folder: Path) -> None:
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
                _temp_dir=str(folder / _SESSIONS),  # which Ray opens to everybody
                job_config=job_config(),
            )
        except Exception as error:  # Ray raises nothing narrower where a part of it does not start
            raise ClusterError(_why_not_started(error, folder)) from error

    def __str__(self) -> str:
        return "this machine"


def _why_not_started(error: Exception, folder: Path) -> str:
    cause = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if "AF_UNIX path length" in cause:
        too_long = f"{folder.parent} is too long a path for Ray's sockets"
        remedy = f"{too_long}: set RAY_TMPDIR to a short one"
    else:
        remedy = (
            f"its logs are in {folder}/{_SESSIONS}/session_latest/logs; does {folder.parent} take "
            "new files (RAY_TMPDIR names another), and is there memory left?"
        )
    return f"Ray did not start on this machine: {cause}; {remedy}"
