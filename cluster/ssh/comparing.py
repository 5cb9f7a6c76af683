"""A cluster that is up beside what its file says now, and beside what runs of it."""

from cluster.errors import ClusterError
from cluster.settings import SshSettings
from cluster.ssh.ending import Tell
from cluster.ssh.looking import UNKNOWN, look_at
from cluster.ssh.record import Record

#: What to do about one.
A_HOST_THAT_IS_GONE = (
    "a host that is gone for good: take it out of the file and run the command again"
)


def names_other_hosts(up: Record, settings: SshSettings) -> bool:
    """Whether the file names other hosts, or another head, than when a cluster was brought up."""
    before = SshSettings.model_validate_json(up.settings)
    same_head = before.head_index == settings.head_index
    names = [[host.name for host in one.hosts] for one in (before, settings)]
    return names[0] != names[1] or not same_head


def tell_changes(up: Record, settings: SshSettings, tell: Tell) -> None:
    """Say what of the file is another than when the cluster was brought up."""
    before = SshSettings.model_validate_json(up.settings)
    parts = [
        name
        for name in SshSettings.model_fields
        if name != "driver" and getattr(before, name) != getattr(settings, name)
    ]
    if parts:
        tell(
            f"{', '.join(parts)} in {up.file} changed since it was brought up: nodes that "
            "are up stay as they are until 'cluster down' and 'cluster up'"
        )


def hosts_down(up: Record, settings: SshSettings) -> list[int]:
    """Return the hosts of the file on which the cluster has no running node.

    Raises:
        ClusterError: a host is out of sight, so that nobody knows.
    """
    seen = look_at(up)
    unknown = [one.state for one in seen if one.state.startswith(UNKNOWN)]
    if unknown:
        raise ClusterError("\n".join(unknown) + f"\nnothing was changed; {A_HOST_THAT_IS_GONE}")
    running = {one.host for one in seen if one.state == "up"}
    return [index for index in range(len(settings.hosts)) if index not in running]
