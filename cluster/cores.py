"""How many cores a process may use: by its affinity, and by what its control groups let it have.

It imports the standard library alone, since hosts are asked by it too.
"""

import math
import os
from collections.abc import Iterator

_GROUPS = "/sys/fs/cgroup"
_OWN = "/proc/self/cgroup"


def usable_cores(groups: str = _GROUPS, own: str = _OWN) -> int:
    """Return the cores that this process may use.

    A container with ``--cpus=2``, a limit of Kubernetes or systemd's ``CPUQuota`` leaves every core
    in the affinity mask and takes the time away: a part of a core counts as one.
    """
    limits = [max(1, math.ceil(limit)) for limit in _limits(groups, own)]
    return min([len(os.sched_getaffinity(0)), *limits])


def _limits(groups: str, own: str) -> Iterator[float]:
    """Yield the limits, in cores, of the control groups that this process is in."""
    for line in _text(own).splitlines():
        controllers, path = line.split(":", 2)[1:]
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = os.path.join(groups, controllers)
        if controllers and not os.path.isdir(root):
            root = os.path.join(groups, "cpu")
        root = root.rstrip("/")
        # A container may see its own group as the root, and still read its path from outside.
        folder = os.path.normpath(f"{root}/{path}")
        while folder.startswith(root):
            yield from _limit(folder)
            folder = os.path.dirname(folder)


def _limit(folder: str) -> Iterator[float]:
    """Yield the limit of one control group, of either version, if it has one."""
    quota, _, period = _text(f"{folder}/cpu.max").partition(" ")
    if not quota:
        quota = _text(f"{folder}/cpu.cfs_quota_us")
        period = _text(f"{folder}/cpu.cfs_period_us")
    if quota.strip().isdigit() and period.strip().isdigit():
        yield int(quota) / int(period)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""
