"""What was started, written down before it is, so that nothing is left behind for good."""

import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
from platformdirs import user_state_path

from cluster.errors import ClusterError


def this_machine() -> str:
    """Return what tells this machine, and this container of it, from others of its name."""
    with suppress(OSError):
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    return socket.gethostname()


@dataclass(frozen=True)
class StartedNode:
    """A node: which host of the cluster file it is on (None for this machine), where, and how.

    Attributes:
        ip: its address for the other machines.
    """

    host: int | None
    folder: str
    ip: str


@dataclass(frozen=True)
class Record:
    """One cluster that was brought up, or is being.

    Attributes:
        file: the cluster file.
        settings: what it said when the cluster was brought up, as JSON.
        study: the study that it was brought up for; nothing if by ``cluster up``.
        address: its head, once that is up.
        detached: whether the search runs on the head, so that it outlives the process below.
        is_beside: whether that is the head of a cluster that stays, where it has but a folder.
        pid, began, machine: the process that brought it up.
    """

    key: str
    file: str
    settings: str
    study: str
    nodes: tuple[StartedNode, ...]
    address: str = ""
    detached: bool = False
    is_beside: bool = False
    pid: int = field(default_factory=os.getpid)
    began: float = field(default_factory=lambda: psutil.Process().create_time())
    machine: str = field(default_factory=this_machine)

    @property
    def is_orphaned(self) -> bool:
        """Whether the process that it was brought up for is known to be gone."""
        return bool(self.study) and not self.detached and self.has_lost_its_process

    @property
    def is_of_this_machine(self) -> bool:
        """Whether it was brought up from here."""
        return self.machine == this_machine()

    @property
    def is_being_started(self) -> bool:
        """Whether another process of this machine is about to bring it up, to stay."""
        mine = not self.is_of_this_machine or self.pid == os.getpid()
        return not self.study and not mine and not self.has_lost_its_process

    @property
    def has_lost_its_process(self) -> bool:
        """Whether the process that has brought it up is known to be gone."""
        if not self.is_of_this_machine:
            return False
        try:
            return bool(abs(psutil.Process(self.pid).create_time() - self.began) > 1.0)
        except psutil.NoSuchProcess:
            return True


@dataclass(frozen=True)
class Records:
    """The folder of the records, and of the token of each cluster."""

    folder: Path

    @classmethod
    def of_user(cls) -> "Records":
        """Return this user's: in ``SEQTUNE_STATE``, or the system's usual place."""
        given = os.environ.get("SEQTUNE_STATE")
        return cls((Path(given) if given else user_state_path("seqtune")) / "clusters")

    def token_file(self, key: str) -> Path:
        """Return where the token of a cluster is."""
        return self.folder / f"{key}.token"

    def create(self, record: Record) -> str:
        """Write a new record and return the token that was made for it."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ClusterError(
                f"cannot keep a record in {self.folder}: {error.strerror}; name another folder by "
                "SEQTUNE_STATE"
            ) from error
        token = secrets.token_hex(32)
        self._replace(self.token_file(record.key), token)
        self.write(record)
        return token

    def write(self, record: Record) -> None:
        """Write a record, whole or not at all."""
        self._replace(self.folder / f"{record.key}.json", json.dumps(asdict(record)))

    def remove(self, key: str) -> None:
        """Forget a cluster that is down."""
        (self.folder / f"{key}.json").unlink(missing_ok=True)
        self.token_file(key).unlink(missing_ok=True)

    def of_file(self, file: Path) -> Iterator[Record]:
        """Yield the records of a cluster file."""
        for path in sorted(self.folder.glob("*.json")):
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
            except FileNotFoundError:  # taken down a moment ago
                continue
            nodes = tuple(StartedNode(**node) for node in content.pop("nodes"))
            record = Record(nodes=nodes, **content)
            if record.file == str(file):
                yield record

    def _replace(self, path: Path, text: str) -> None:
        beside = path.with_suffix(f".{os.getpid()}.writing")
        with open(
            os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)


def new_key() -> str:
    """Return a name for a cluster: short, for paths of sockets lie under it."""
    return secrets.token_hex(4)
