"""A Ray cluster that runs already; the code that trials need is sent to its nodes."""

import logging
import socket
from pathlib import Path

from cluster.errors import ClusterError

#: Ray itself waits for minutes where nobody listens.
KNOCK_SECONDS = 5.0


def join(address: str, packages: list[Path]) -> None:
    """Connects to the cluster's head.

    Raises:
        ClusterError: nobody answers there, or the token is refused.
    """
    _knock(address)
    import ray
    from ray.exceptions import AuthenticationError

    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"py_modules": [str(package) for package in packages]},
        )
    except AuthenticationError as error:
        raise ClusterError(
            f"the cluster at {address!r} refuses this user's token: copy ~/.ray/auth_token from "
            "its head, or set RAY_AUTH_TOKEN"
        ) from error
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ClusterError(
            f"no Ray cluster answers at {address!r}: {line}. Is 'ray start --head' running there?"
        ) from error


def _knock(address: str) -> None:
    """Makes sure that somebody listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    if not host:  # auto
        return
    try:
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"no Ray cluster answers at {address!r}: {error}. Is 'ray start --head' running there?"
        ) from error
