"""A search whose driver runs on the head of its cluster, whether anybody follows it or not."""

import base64
import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError
from cluster.ssh.ending import take_down
from cluster.ssh.launcher import Launcher
from cluster.ssh.looking import head_of
from cluster.ssh.record import Record
from cluster.ssh.remote import ANSWER_SECONDS, SLOW_BYTES


@dataclass(frozen=True)
class Command:
    """What is run on the head.

    Attributes:
        arguments: those of Python; ``{address}`` in one becomes the cluster's.
        packages: code folders and files that it imports.
        files: more files for the folder it is started in, by name.
        environment: variables for it alone.
    """

    arguments: tuple[str, ...]
    packages: tuple[Path, ...]
    files: dict[str, str]
    environment: dict[str, str]


def run_on_head(launcher: Launcher, study: str, command: Command) -> Record:
    """Start a command on the head of what is up, or of a cluster of its own; return its record.

    Raises:
        ClusterError: it could not be done, and nothing is left of it.
    """
    up = launcher.find_up()
    record = launcher.beside(up, study) if up else launcher.bring_up(study, detached=True)
    code = _packed(command)
    try:
        head_of(record).ask(
            {
                "action": "launch",
                "folder": record.nodes[0].folder,
                "code": code,
                "arguments": [
                    one.replace("{address}", record.address) for one in command.arguments
                ],
                # Through a proxy Ray would wait for ever.
                "environment": {
                    "no_grpc_proxy": record.address.rpartition(":")[0],
                    **command.environment,
                },
                "token": launcher.token_of(up) if up else None,
            },
            ANSWER_SECONDS + len(code) / SLOW_BYTES,
        )
    except BaseException:
        take_down(launcher.records, record, launcher.tell)
        raise
    return record


def _packed(command: Command) -> str:
    """Return the code and the files as base64 of a compressed tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for package in command.packages:
            tar.add(package, package.name, filter=_source)
        for name, text in command.files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return base64.b64encode(buffer.getvalue()).decode()


def _source(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in entry.name else entry


def follow(record: Record, put: Callable[[str], None]) -> int | None:
    """Pass on what the driver says until it ends; return its exit code, None if it was killed.

    Raises:
        ClusterError: the head is out of sight; the search goes on.
    """
    request = {"action": "follow", "folder": record.nodes[0].folder}
    with head_of(record).asking(request) as answers:
        for answer in answers:
            if "exit" in answer:
                code: int | None = answer["exit"]
                return code
            put(answer["said"])
    raise ClusterError("the head said no more")
