"""A Ray cluster that runs already; the code that trials need is sent to its nodes."""

import logging
import re
import socket
from dataclasses import dataclass
from typing import Self

from cluster.errors import ClusterError
from cluster.kinds.base import ClusterKind, StartRequest

_ADDRESS = re.compile(r"[A-Za-z0-9_.\-]+:\d{1,5}|auto")

#: Ray itself waits for minutes where nobody listens.
KNOCK_SECONDS = 5.0


@dataclass(frozen=True)
class Address(ClusterKind):
    """The cluster whose head is at ``HOST:PORT``; ``auto`` finds the one of this machine."""

    address: str
    syntax = "HOST:PORT of a running Ray cluster ('auto' for the one on this machine)"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """``HOST:PORT`` or ``auto``."""
        return cls(text) if _ADDRESS.fullmatch(text) else None

    def start(self, request: StartRequest) -> None:
        """Connect to the head."""
        _knock(self.address)
        import ray
        from ray.exceptions import AuthenticationError

        try:
            ray.init(
                address=self.address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"py_modules": [str(package) for package in request.packages]},
            )
        except AuthenticationError as error:
            raise ClusterError(
                f"the cluster at {self.address!r} refuses this user's token: copy "
                "~/.ray/auth_token from its head, or set RAY_AUTH_TOKEN"
            ) from error
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            line = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise _silent(self.address, line) from error

    def __str__(self) -> str:
        return self.address


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
