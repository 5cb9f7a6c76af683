"""The cluster file: one TOML file that says where searches run, and how to get there."""

import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from cluster.errors import ClusterError

#: Kinds that are planned, so that nobody looks for a misspelling.
NOT_BUILT = ("slurm", "kubernetes", "aws", "gcp", "sky")

#: Those of its parts, and of the processes of trials.
_PORTS_OF_A_NODE = 150

ADDRESS = r"[A-Za-z0-9_.\-]+:\d{1,5}|auto"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Host(_Table):
    """A machine that is reached over ssh."""

    host: str = Field(min_length=1)
    """Name or address, as ssh takes it."""
    user: str | None = None
    """User there; ssh's own choice by default."""
    port: int | None = Field(None, ge=1, le=65535)
    """Port of its sshd."""
    identity: Path | None = None
    """File of the private key."""
    jump: str | None = Field(None, pattern=r"^[^,\s]+$")
    """Host to go through: [USER@]HOST[:PORT]."""
    ip: str | None = None
    """Its address for the other machines, where that is not the one from which it talks to them."""
    cpus: int | None = Field(None, ge=0)
    """Cores for trials; all that its processes may use by default."""
    gpus: int | None = Field(None, ge=0)
    """GPUs for trials; all that it has by default."""
    gpu_type: str | None = None
    """Kind of its GPUs, as Ray names accelerators."""

    @property
    def name(self) -> str:
        return f"{self.user}@{self.host}" if self.user else self.host


class Environment(_Table):
    """The environment in which a host's Python finds Ray, torch and what else trials import."""

    python: str | None = None
    """Path of the Python; python3 by default."""
    venv: str | None = None
    """Folder of a virtual environment."""
    conda: str | None = None
    """Name or folder of a conda environment."""
    modules: tuple[str, ...] = ()
    """Environment modules to load."""
    setup: tuple[str, ...] = ()
    """Lines of bash to run first."""
    env: dict[Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")], str] = {}
    """Environment variables."""

    @model_validator(mode="after")
    def _one_python(self) -> "Environment":
        given = [name for name in ("python", "venv", "conda") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"name one of {' and '.join(given)}")
        return self


class Storage(_Table):
    """Folders on the hosts."""

    scratch: str = "/tmp"
    """Folder of each host's own for what its node writes; short, for sockets lie in it."""


class RaySettings(_Table):
    """How Ray's nodes are started."""

    port_range: str | None = None
    """Ports that a firewall lets through, such as 20000-29999; any that are free by default."""
    object_store_mb: int = Field(128, ge=80)
    """Shared memory of each node, in MiB."""
    wait_seconds: int = Field(120, ge=1)
    """Longest wait for a node to be up."""

    @field_validator("port_range")
    @classmethod
    def _are_enough(cls, ports: str | None) -> str | None:
        found = re.fullmatch(r"(\d{4,5})-(\d{4,5})", ports) if ports is not None else None
        if ports is not None and not (found and _holds_a_node(*map(int, found.groups()))):
            raise ValueError(
                f"write FIRST-LAST between 1024 and 65535, {_PORTS_OF_A_NODE} ports at least"
            )
        return ports


def _holds_a_node(first: int, last: int) -> bool:
    return first >= 1024 and last <= 65535 and last - first + 1 >= _PORTS_OF_A_NODE


class LocalSettings(_Table):
    """This machine."""

    kind: Literal["local"]


class AddressSettings(_Table):
    """A Ray cluster that runs already."""

    kind: Literal["address"]
    address: str = Field(pattern=f"^(?:{ADDRESS})$")
    """HOST:PORT of its head, or 'auto' for the one on this machine."""


class SshSettings(_Table):
    """Hosts that are reached over ssh."""

    kind: Literal["ssh"]
    hosts: tuple[Host, ...] = Field(min_length=1)
    """The machines."""
    head: str | None = None
    """Host of the head; the first by default."""
    driver: Literal["here", "head"] = "here"
    """Where the search itself runs: where the command is typed, or on the head, detached."""
    known_hosts: Path | None = None
    """File of known host keys; the user's own by default."""
    environment: Environment = Environment()
    storage: Storage = Storage()
    ray: RaySettings = RaySettings()

    @model_validator(mode="after")
    def _hosts_are_distinct(self) -> "SshSettings":
        names = [host.host for host in self.hosts]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"host {twice[0]!r} stands there twice")
        if self.head is not None and self.head not in names:
            raise ValueError(f"head = {self.head!r} is none of the hosts: {', '.join(names)}")
        return self

    @property
    def head_index(self) -> int:
        names = [host.host for host in self.hosts]
        return names.index(self.head) if self.head is not None else 0


ClusterSettings = Annotated[
    LocalSettings | AddressSettings | SshSettings, Field(discriminator="kind")
]
_SETTINGS: TypeAdapter[ClusterSettings] = TypeAdapter(ClusterSettings)


def json_schema() -> str:
    """Return the schema of a cluster file, for editors."""
    return json.dumps(_SETTINGS.json_schema(), indent=2)


def read_cluster_file(path: Path) -> ClusterSettings:
    """Read a cluster file.

    Paths in it may begin with ``~``; relative ones count from the file's folder.

    Raises:
        ClusterError: it cannot be read, or something in it is wrong; names it, and the remedy.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is no text"
        raise ClusterError(f"cannot read the cluster file {path}: {cause}") from error
    except tomllib.TOMLDecodeError as error:
        raise ClusterError(f"{path} is no TOML: {error}") from error
    if tables.get("kind") in NOT_BUILT:
        raise ClusterError(
            f"{path}: kind = {tables['kind']!r} is not built yet; there are local, address, ssh"
        )
    try:
        settings = _SETTINGS.validate_python(_located(tables, path.absolute().parent))
    except ValidationError as error:
        raise ClusterError(f"{path}: {_explained(error)}") from error
    if isinstance(settings, SshSettings):
        _check_files(path, settings)
    return settings


def _check_files(path: Path, settings: SshSettings) -> None:
    """Make sure that the files are there that ssh is to read: it says other things of those that
    are not."""
    files = {"known_hosts": settings.known_hosts}
    files |= {f"hosts[{i}].identity": host.identity for i, host in enumerate(settings.hosts)}
    for key, file in files.items():
        if file is not None and not file.exists():
            raise ClusterError(f"{path}: {key} = '{file}': there is no such file")


def _located(tables: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the tables with whole paths of this machine's files."""

    def whole(table: dict[str, Any], key: str) -> dict[str, Any]:
        value = table.get(key)
        if not isinstance(value, str):
            return table
        return table | {key: str(folder / Path(value).expanduser())}

    tables = whole(tables, "known_hosts")
    hosts = tables.get("hosts")
    if isinstance(hosts, list):
        tables |= {"hosts": [whole(h, "identity") if isinstance(h, dict) else h for h in hosts]}
    return tables


def _explained(error: ValidationError) -> str:
    """Say what is wrong first in a cluster file; an unknown key may be why another is missing."""
    errors = error.errors(include_url=False)
    found = min(errors, key=lambda one: one["type"] != "extra_forbidden")
    # The first part of a place is the kind of the cluster.
    where = re.sub(r"\.(\d+)", r"[\1]", ".".join(map(str, found["loc"][1:])))
    match found["type"]:
        case "extra_forbidden":
            return f"unknown key {where!r}; {_allowed(found['loc'])}"
        case "missing":
            return f"{where!r} is missing"
        case "union_tag_not_found":
            return "'kind' is missing: local, address or ssh"
        case "union_tag_invalid":
            return f"kind = {found['ctx']['tag']!r}: write local, address or ssh"
        case _:
            # What a whole table raises names its values itself.
            of_a_table = isinstance(found["input"], dict)
            value = f"{where} = {found['input']!r}: " if where and not of_a_table else ""
            return f"{value}{found['msg'].removeprefix('Value error, ')}"


def _allowed(place: tuple[int | str, ...]) -> str:
    """Name the keys that a table of a cluster file takes."""
    kinds: dict[Any, type[BaseModel]] = {
        "local": LocalSettings,
        "address": AddressSettings,
        "ssh": SshSettings,
    }
    tables: dict[Any, type[BaseModel]] = {
        "hosts": Host,
        "environment": Environment,
        "storage": Storage,
        "ray": RaySettings,
    }
    table = tables.get(place[1]) if len(place) > 2 else None
    return "allowed: " + ", ".join((table or kinds[place[0]]).model_fields)
