"""A Ray cluster that runs already; the code that trials need is sent to its nodes."""

import logging
from pathlib import Path

from cluster.errors import ClusterError


def join(address: str, packages: list[Path]) -> None:
    """Connects to the cluster's head.

    Raises:
        ClusterError: nobody answers there, or the token is refused.
    """
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
