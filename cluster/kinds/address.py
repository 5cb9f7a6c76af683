"""A Ray cluster that runs already; the code that trials need is sent to its nodes."""

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Self

from cluster.joining import joined
from cluster.kinds.base import ClusterKind, StartRequest
from cluster.settings import ADDRESS


@dataclass(frozen=True)
class Address(ClusterKind):
    """The cluster whose head is at ``HOST:PORT``; ``auto`` finds the one of this machine."""

    address: str
    runs_already = True
    syntax = "HOST:PORT of a running Ray cluster ('auto' for the one on this machine)"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """``HOST:PORT`` or ``auto``."""
        return cls(text) if re.fullmatch(ADDRESS, text) else None

    def running(self, request: StartRequest) -> AbstractContextManager[None]:
        """Connect to the head."""
        return joined(self.address, request.packages)

    def __str__(self) -> str:
        return self.address
