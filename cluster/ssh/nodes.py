"""One node of a cluster on one host: how it is started, looked at and ended."""

import base64
import io
import json
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.environment import NODE_ENVIRONMENT
from cluster.settings import Host, SshSettings
from cluster.ssh.host_node import ALL_LOGS
from cluster.ssh.remote import ANSWER_SECONDS, SLOW_BYTES, Remote

#: Beside the common ones. A node of many cores else runs out of threads.
_ENVIRONMENT = {"RAY_worker_num_grpc_internal_threads": "1"}


@dataclass(frozen=True)
class NodePlan:
    """A node to be started.

    Attributes:
        folder: its own on the host.
        cpus, gpus: what trials may use of it; None for all GPUs that Ray finds.
    """

    remote: Remote
    folder: str
    ip: str
    cpus: int
    gpus: int | None

    def arguments(self, settings: SshSettings, address: str) -> list[str]:
        """Return what ``ray start`` is given: of the head, where there is no ``address`` yet."""
        role = [f"--address={address}"] if address else ["--head", "--include-dashboard=false"]
        if not address and not settings.ray.port_range:
            role.append("--port=0")  # one that is free
        gpus = [] if self.gpus is None else [f"--num-gpus={self.gpus}"]
        host: Host | None = self.remote.host
        if host and host.gpu_type:
            gpus.append(f"--resources={json.dumps({f'accelerator_type:{host.gpu_type}': 1})}")
        return [
            *role,
            "--block",
            f"--node-name={self.remote.name}",
            f"--node-ip-address={self.ip}",
            f"--num-cpus={self.cpus}",
            *gpus,
            f"--object-store-memory={settings.ray.object_store_mb << 20}",
            "--disable-usage-stats",
        ]

    def start(self, settings: SshSettings, address: str, token: str) -> str:
        """Start it, as the head where there is no ``address``; return the cluster's address.

        Raises:
            ClusterError: it did not start; why, and on which host.
        """
        answer = self.remote.ask(
            {
                "action": "start",
                "folder": self.folder,
                "token": token,
                "environment": {**NODE_ENVIRONMENT, **_ENVIRONMENT},
                "arguments": self.arguments(settings, address),
                "head": not address,
                "cpus": self.cpus,
                "ports": settings.ray.port_range,
                "wait_seconds": settings.ray.wait_seconds,
            },
            settings.ray.wait_seconds + ANSWER_SECONDS,
        )
        return address or str(answer["address"])


def look(remote: Remote, folder: str) -> Mapping[str, Any]:
    """Return whether a node's folder is ``there``, and how many ``processes`` it has.

    Raises:
        ClusterError: the host cannot be reached.
    """
    return remote.ask({"action": "look", "folder": folder})


def stop(remote: Remote, folder: str, logs: Path | None) -> str:
    """End a node and fetch its logs; return what is left of it, in words, or nothing.

    Raises:
        ClusterError: the host cannot be reached.
    """
    seconds = ANSWER_SECONDS + (ALL_LOGS / SLOW_BYTES if logs is not None else 0.0)
    answer = remote.ask({"action": "stop", "folder": folder, "logs": logs is not None}, seconds)
    if logs is not None and answer["logs"]:
        place = logs / remote.name.replace("/", "_").replace(" ", "-")
        with suppress(OSError, tarfile.TarError):  # a full disk keeps no node alive
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tarfile.open(fileobj=io.BytesIO(base64.b64decode(answer["logs"]))) as tar:
                tar.extractall(place, filter="data")
    if answer["left"]:
        return f"{answer['left']} processes could not be ended"
    return f"{folder} could not be removed" if answer["there"] else ""
