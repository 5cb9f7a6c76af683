"""The part that runs on a host: looks at it, and at its ports.

It comes to the host through the standard input of its Python, with ``host_node`` and a request in
JSON behind it, and answers with lines of JSON. It imports the standard library alone, since nothing
of ours is installed there.
"""

from __future__ import annotations  # an old Python must get as far as to say that it is old

import glob
import importlib.metadata
import importlib.util
import json
import os
import platform
import random
import socket
import sys
import time
from contextlib import suppress
from typing import Any, Iterable  # noqa: UP035 - see above

from cluster.cores import usable_cores

#: Ports for the processes of trials, where a range is given: so many at least, and so many more
#: than there are cores.
WORKER_PORTS = 100
SPARE_PORTS = 20

#: How long a host waits for others that are to try the way to it.
GUEST_SECONDS = 120


class Refused(Exception):
    """What was asked for cannot be done here; the text says why."""


def answer(**content: Any) -> None:
    """Print the answer, in one line."""
    print(json.dumps(content), flush=True)


def survey(request: dict[str, Any]) -> None:
    """Say what this host is; try the way to whom it is to ``meet``, and let ``guests`` try theirs.

    Whoever is met listens at an address and a port: the driver's machine, or the head.
    """
    meet, ports = request["meet"], request["ports"]
    ip = request["ip"] or (address_towards(meet[0]) if meet else address_of_ssh(request["seen"]))
    closed = knock(*meet) if meet else ""
    with socket.socket() as listener:
        try:
            listener.bind((ip, free_ports(range_of(ports), 1)[0] if ports else 0))
        except OSError as error:
            raise Refused(f"it has no address {ip} ({error.strerror})") from error
        listener.listen(128)
        answer(
            host=socket.gethostname(),
            python=platform.python_version(),
            executable=sys.executable,
            versions={name: version_of(name) for name in request["packages"]},
            cores=usable_cores(),
            gpus=len(glob.glob("/dev/nvidia[0-9]*")),
            ip=ip,
            port=listener.getsockname()[1],
            closed=closed,
        )
        receive(listener, request["guests"])


def receive(listener: socket.socket, guests: int) -> None:
    """Let so many others try the way here; whoever does not get here says so himself.

    Nobody comes any more when the one who asked is gone, and with him this process's parent.
    """
    parent, deadline = os.getppid(), time.monotonic() + GUEST_SECONDS
    listener.settimeout(0.5)
    while guests and os.getppid() == parent and time.monotonic() < deadline:
        with suppress(OSError):  # nobody yet
            listener.accept()[0].close()
            guests -= 1


def version_of(name: str) -> str | None:
    """Return the version of an installed package; None if there is none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def address_towards(other: str) -> str:
    """Return the address from which this host talks to another."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((other, 9))
        return str(probe.getsockname()[0])


def address_of_ssh(seen: str | None) -> str:
    """Return the address at which ssh has reached this host; over IPv6, that at which it was
    ``seen`` from the other side, if that is one of its own."""
    parts = os.environ.get("SSH_CONNECTION", "").split()
    found = parts[2] if len(parts) == 4 and ":" not in parts[2] else seen
    if found is None:
        raise Refused("its address for the other machines is not known: name it with ip")
    return found


def knock(host: str, port: int) -> str:
    """Return nothing if somebody answers at an address, else why not."""
    try:
        socket.create_connection((host, port), 5).close()
    except OSError as error:
        return str(error)
    return ""


def ports_of(request: dict[str, Any]) -> list[str]:
    """Return the options for ports that Ray would else fix, so that two nodes may share a host.

    Without a range Ray takes the others as they are free.
    """
    names = ["dashboard-agent-listen-port"]
    if request["head"] and importlib.util.find_spec("grpc"):
        names.append("ray-client-server-port")
    among, workers = range(20000, 32000), 0
    if request["ports"]:
        names += ["port"] if request["head"] else []
        names += ["node-manager-port", "object-manager-port", "dashboard-agent-grpc-port"]
        names += ["runtime-env-agent-port", "metrics-export-port"]
        among = range_of(request["ports"])
        workers = max(WORKER_PORTS, request["cpus"] + SPARE_PORTS)
    found = free_ports(among, len(names) + workers)
    options = [f"--{name}={port}" for name, port in zip(names, found)]  # noqa: B905
    if workers:
        options.append("--worker-port-list=" + ",".join(map(str, found[len(names) :])))
    return options


def range_of(ports: str) -> range:
    """Return the ports of ``FIRST-LAST``."""
    first, last = map(int, ports.split("-"))
    return range(first, last + 1)


def free_ports(among: Iterable[int], count: int) -> list[int]:
    """Return so many ports that nobody listens on, from a place by chance on."""
    order, found = list(among), list[int]()
    begin = random.randrange(max(1, len(order)))
    for port in order[begin:] + order[:begin]:
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise Refused(f"no {count} free ports among the {len(order)} of [ray] port_range")


def read(path: str) -> str:
    """Return the text of a file; nothing if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
