"""What the hosts of a cluster file are like, before anything is started on them."""

import importlib.metadata
import platform
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import psutil

from cluster.errors import ClusterError
from cluster.settings import SshSettings
from cluster.ssh.remote import Remote

_KNOCK_SECONDS = 5.0

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Survey:
    """A host as it was found.

    Attributes:
        ip: its address for the other machines.
        cores: those that its processes may use.
    """

    remote: Remote
    ip: str
    hostname: str
    cores: int
    gpus: int

    @property
    def is_this_machine(self) -> bool:
        return self.ip in own_addresses()


def remotes(settings: SshSettings) -> list[Remote]:
    """Return the hosts of a cluster file, in its order."""
    return [Remote(host, settings.environment, settings.known_hosts) for host in settings.hosts]


def survey(settings: SshSettings) -> list[Survey]:
    """Look at all hosts: their Python, their Ray, and the way between them and this machine.

    Raises:
        ClusterError: one line for each thing that is wrong.
    """
    with closing(_listener()) as listener:
        port = listener.getsockname()[1]
        found = in_parallel(lambda remote: _survey(remote, port), remotes(settings))
    for one in found:
        if len(found) > 1 and one.ip.startswith("127."):
            raise ClusterError(
                f"{one.remote.name} is {one.ip} as seen from here, where others cannot reach it: "
                "name its address for them with ip"
            )
    return found


def in_parallel(act: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Act on all at once and return the results in order.

    Raises:
        ClusterError: with the text of every one that was raised.
    """
    if not items:
        return []
    with ThreadPoolExecutor(min(len(items), 32)) as pool:
        futures = [pool.submit(act, item) for item in items]
        try:
            wait(futures)
        except BaseException:  # whoever cleans up must not overtake what is under way
            wait(futures)
            raise
    wrong = [f.exception() for f in futures if isinstance(f.exception(), ClusterError)]
    if wrong:
        raise ClusterError("\n".join(map(str, wrong)))
    return [future.result() for future in futures]


def _listener() -> socket.socket:
    """Listen for hosts that try the way to this machine; what they send is never read."""
    listener = socket.socket()
    listener.bind(("", 0))
    listener.listen(64)
    return listener


def _survey(remote: Remote, port: int) -> Survey:
    target = remote.host.ip or remote.host.host if remote.host else "127.0.0.1"
    request = {
        "action": "survey",
        "ip": remote.host.ip if remote.host else None,
        "driver_ip": address_towards(target),
        "driver_port": port,
    }
    with remote.asking(request) as answers:
        answer = next(answers)
        _check_versions(remote, answer["python"], answer["versions"], answer["executable"])
        if answer["reaches_driver"]:
            raise ClusterError(
                f"{remote.name} cannot reach this machine at {request['driver_ip']}:{port} "
                f"({answer['reaches_driver']}): trials there could not report; open the way, or "
                "start the search on one of the hosts"
            )
        try:
            socket.create_connection((answer["ip"], answer["port"]), _KNOCK_SECONDS).close()
        except OSError as error:
            raise ClusterError(
                f"{remote.name} cannot be reached at {answer['ip']}:{answer['port']} ({error}): "
                "open the way, or name another address with ip"
            ) from error
    return Survey(remote, answer["ip"], answer["host"], answer["cores"], answer["gpus"])


def _check_versions(
    remote: Remote, python: str, versions: dict[str, str | None], executable: str
) -> None:
    """Make sure that a host has this machine's Python and Ray, and a torch.

    Raises:
        ClusterError: it has not.
    """
    here = platform.python_version()
    if python.split(".")[:2] != here.split(".")[:2]:
        raise ClusterError(
            f"{remote.name}: {executable} is Python {python}, this machine's is {here}: name one "
            "of the same version in [environment]"
        )
    ray = importlib.metadata.version("ray")
    for name, wanted in (("ray", ray), ("torch", None)):
        found = versions[name]
        if found is None or (wanted is not None and found != wanted):
            what = f"has {name} {found}" if found else f"has no {name}"
            raise ClusterError(
                f"{remote.name}: {executable} {what}, this machine has "
                f"{importlib.metadata.version(name)}: install that there, or name the environment "
                "that has it in [environment]"
            )


def address_towards(host: str) -> str:
    """Return the address from which this machine talks to another.

    Raises:
        ClusterError: there is no such host, or no way to it.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, 9))
            return str(probe.getsockname()[0])
    except OSError as error:
        raise ClusterError(f"no way to host {host!r}: {error.strerror or error}") from error


def own_addresses() -> set[str]:
    """Return all addresses of this machine."""
    return {one.address for some in psutil.net_if_addrs().values() for one in some}
