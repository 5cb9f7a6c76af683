"""What the hosts of a cluster file are like, before anything is started on them."""

import importlib.metadata
import platform
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import psutil

from cluster.errors import ClusterError
from cluster.settings import SshSettings
from cluster.ssh.host_survey import Refused, free_ports, range_of
from cluster.ssh.remote import ANSWER_SECONDS, Remote

_KNOCK_SECONDS = 5.0

#: What trials import, beside the code that is sent.
TRIAL_PACKAGES = (
    *("ray", "torch", "numpy", "pydantic", "psutil", "platformdirs", "safetensors", "tokenizers"),
    *("pandas", "pyarrow", "fsspec", "requests"),  # those of ray[tune]
)

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Survey:
    """A host as it was found.

    Attributes:
        ip: its address for the other machines.
        cores: those that its processes may use.
        python: the version of its Python.
    """

    remote: Remote
    ip: str
    hostname: str
    cores: int
    gpus: int
    python: str = ""

    @property
    def is_this_machine(self) -> bool:
        return self.ip in own_addresses()


def remotes(settings: SshSettings) -> list[Remote]:
    """Return the hosts of a cluster file, in its order."""
    return [Remote(host, settings.environment, settings.known_hosts) for host in settings.hosts]


def survey(settings: SshSettings, driver_here: bool = True) -> list[Survey]:
    """Look at all hosts: their Python, what it has, and the ways between them and the driver.

    Args:
        driver_here: whether the search runs on this machine; if not, the ways to the head count.

    Raises:
        ClusterError: one line for each thing that is wrong.
    """
    hosts = remotes(settings)
    found = _around_this_machine(settings, hosts) if driver_here else _around_head(settings, hosts)
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


def _around_this_machine(settings: SshSettings, hosts: Sequence[Remote]) -> list[Survey]:
    """Look at all hosts, and try both directions between them and this machine."""
    ports = settings.ray.port_range
    with closing(_listener(ports)) as listener:
        port = listener.getsockname()[1]

        def one(remote: Remote) -> Survey:
            here = address_towards(_address_of(remote))
            request = _request(remote, ports, meet=(here, port), guests=1)
            with remote.asking(request, ANSWER_SECONDS) as answers:
                answer = next(answers)
                found = _checked(remote, answer, platform.python_version(), "this machine's")
                if answer["closed"]:
                    raise ClusterError(
                        f"{remote.name} cannot reach this machine at {here}:{port} "
                        f"({answer['closed']}): trials there could not report; open the way, or "
                        "start the search on one of the hosts (driver = 'head')"
                    )
                _knock(remote, found.ip, answer["port"])
            return found

        return in_parallel(one, hosts)


def _around_head(settings: SshSettings, hosts: Sequence[Remote]) -> list[Survey]:
    """Look at all hosts, and try the ways from them to the head; this machine has no part in it."""
    ports, head = settings.ray.port_range, hosts[settings.head_index]
    others = [host for host in hosts if host is not head]
    with head.asking(_request(head, ports, None, len(others)), 2 * ANSWER_SECONDS) as answers:
        answer = next(answers)
        center = _checked(head, answer)
        meet = (center.ip, answer["port"])

        def one(remote: Remote) -> Survey:
            answer = remote.ask(_request(remote, ports, meet, guests=0))
            found = _checked(remote, answer, center.python, f"that of {head.name}")
            if answer["closed"]:
                raise ClusterError(
                    f"{remote.name} cannot reach the head {head.name} at {meet[0]}:{meet[1]} "
                    f"({answer['closed']}): open the way, or name another address with ip"
                )
            return found

        found = in_parallel(one, others)
    found.insert(settings.head_index, center)
    return found


def _listener(ports: str | None) -> socket.socket:
    """Listen for hosts that try the way to this machine; what they send is never read."""
    listener = socket.socket()
    try:
        listener.bind(("", free_ports(range_of(ports), 1)[0] if ports else 0))
    except Refused as error:
        raise ClusterError(f"this machine: {error}") from error
    listener.listen(128)
    return listener


def _request(
    remote: Remote, ports: str | None, meet: tuple[str, int] | None, guests: int
) -> dict[str, Any]:
    return {
        "action": "survey",
        "ip": remote.host.ip if remote.host else None,
        "packages": TRIAL_PACKAGES,
        "ports": ports,
        "meet": meet,
        "seen": None if meet else _seen(remote),
        "guests": guests,
    }


def _seen(remote: Remote) -> str | None:
    """Return the IPv4 address of a host, as its name is resolved here; None if it is not."""
    with suppress(OSError):
        return socket.gethostbyname(_address_of(remote))
    return None


def _knock(remote: Remote, ip: str, port: int) -> None:
    """Make sure that this machine reaches a host."""
    try:
        socket.create_connection((ip, port), _KNOCK_SECONDS).close()
    except OSError as error:
        raise ClusterError(
            f"{remote.name} cannot be reached at {ip}:{port} ({error}): "
            "open the way, or name another address with ip"
        ) from error


def _checked(
    remote: Remote, answer: dict[str, Any], python: str | None = None, whose: str = ""
) -> Survey:
    """Return a host as it has answered.

    Args:
        python: the version that its Python must be like, which is ``whose``.

    Raises:
        ClusterError: its Python is another, or lacks what trials import.
    """
    found, executable = answer["python"], answer["executable"]
    if python and found.split(".")[:2] != python.split(".")[:2]:
        raise ClusterError(
            f"{remote.name}: {executable} is Python {found}, {whose} is {python}: name one "
            "of the same version in [environment]"
        )
    _check_packages(f"{remote.name}: {executable}", answer["versions"])
    return Survey(
        remote, answer["ip"], answer["host"], answer["cores"], answer["gpus"], python=found
    )


def _check_packages(where: str, versions: dict[str, str | None]) -> None:
    """Make sure that a host has what trials import, and this machine's Ray.

    Raises:
        ClusterError: it has not.
    """
    remedy = "name the environment that has it in [environment]"
    ray = importlib.metadata.version("ray")
    found = versions["ray"]
    if found != ray:
        what = f"has ray {found}" if found else "has no ray"
        raise ClusterError(
            f"{where} {what}, this machine has {ray}: install that there, or {remedy}"
        )
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        raise ClusterError(
            f"{where} has no {', '.join(missing)}: pip install {' '.join(missing)} there, or "
            f"{remedy}"
        )


def _address_of(remote: Remote) -> str:
    """Return the address of a host as seen from here; it may be known to ssh alone, by an alias."""
    if remote.host is None:
        return "127.0.0.1"
    wanted = remote.host.ip or remote.host.host
    with suppress(OSError):
        socket.getaddrinfo(wanted, None, socket.AF_INET)
        return wanted
    return remote.hostname() or wanted


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
        raise ClusterError(
            f"no way to host {host!r}: {error.strerror or error}; if others know it by another "
            "address, name that with ip (IPv4)"
        ) from error


def own_addresses() -> set[str]:
    """Return all addresses of this machine."""
    return {one.address for some in psutil.net_if_addrs().values() for one in some}
