"""Connects this process to a Ray cluster that runs, and sends the code there that trials need."""

import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError
from cluster.job import job_config

#: This package: nodes are asked by its code what they are.
_OWN = Path(__file__).parent

#: Ray itself waits for minutes where nobody listens.
KNOCK_SECONDS = 5.0


@contextmanager
def joined(address: str, packages: Sequence[Path], node_ip: str | None = None) -> Iterator[None]:
    """A connection to the cluster for the length of the block.

    ``node_ip`` tells this machine's node from others that it can see.

    Raises:
        ClusterError: nobody answers there, or refuses this user's token.
    """
    _knock(address)
    import ray
    from ray.exceptions import AuthenticationError

    own: dict[str, Any] = {} if node_ip is None else {"_node_ip_address": node_ip}
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            job_config=job_config(),
            runtime_env={"py_modules": [str(package) for package in (_OWN, *packages)]},
            **own,
        )
    except AuthenticationError as error:
        ray.shutdown()
        raise ClusterError(
            f"the cluster at {address!r} refuses this user's token: copy ~/.ray/auth_token from "
            "its head, or set RAY_AUTH_TOKEN"
        ) from error
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        ray.shutdown()
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise _silent(address, line) from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Make sure that somebody listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    if not host:  # auto
        return
    try:
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _silent(address, str(error)) from error


def _silent(address: str, cause: str) -> ClusterError:
    return ClusterError(
        f"no Ray cluster answers at {address!r}: {cause}. Is 'ray start --head' running there?"
    )
