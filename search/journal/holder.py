"""Who holds a study: the driver that is written in its lock."""

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Driver:
    """The driver that holds, or last held, a study.

    Attributes:
        machine: differs between machines of one name, and after a restart.
        started: when the process began, in seconds by its own machine's clock.
        job: the scheduler's job that it runs in, or nothing.
        restarts: how often the scheduler has restarted that job.
    """

    pid: int
    host: str
    machine: str = ""
    started: float = 0.0
    job: str = ""
    restarts: int = 0

    @classmethod
    def this(cls) -> "Driver":
        """Return this process."""
        return cls(
            pid=os.getpid(),
            host=socket.gethostname(),
            machine=_machine(),
            started=psutil.Process().create_time(),
            job=os.environ.get("SLURM_JOB_ID", ""),
            restarts=int(os.environ.get("SLURM_RESTART_COUNT", "0")),
        )

    @property
    def is_of_this_machine(self) -> bool:
        return (self.host, self.machine) == (socket.gethostname(), _machine())

    @property
    def is_running_here(self) -> bool:
        """Whether this machine has the very process."""
        try:
            return bool(abs(psutil.Process(self.pid).create_time() - self.started) < 1.0)
        except psutil.NoSuchProcess:
            return False

    @property
    def is_gone_from_here(self) -> bool:
        """Whether it was a process of this machine that has ended."""
        return self.is_of_this_machine and not self.is_running_here

    def was_replaced_by(self, other: "Driver") -> bool:
        """Whether a scheduler has restarted the job, which ends the earlier run of it."""
        return bool(self.job) and self.job == other.job and self.restarts < other.restarts

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def _machine() -> str:
    return _BOOT_ID.read_text(encoding="utf-8").strip() if _BOOT_ID.exists() else ""


def read_driver(path: Path) -> Driver | None:
    """Return who is written in a lock; None if nobody."""
    return driver_in(content_of(path))


def driver_in(written: bytes) -> Driver | None:
    """Return who is written in a lock's content; None if nobody."""
    try:
        content = json.loads(written)
        del content["beat"]
        return Driver(**content)
    except (ValueError, KeyError, TypeError):
        return None


def content_of(path: Path) -> bytes:
    """Return a lock's content; nothing where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
