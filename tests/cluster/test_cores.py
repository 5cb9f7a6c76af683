"""How many cores a process may use."""

import os
from pathlib import Path

import pytest

from cluster.cores import usable_cores

ALL = len(os.sched_getaffinity(0))


@pytest.fixture
def groups(tmp_path):
    def make(own: str, **files: str) -> int:
        (tmp_path / "own").write_text(own)
        for place, text in files.items():
            path = tmp_path / "cgroup" / place.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name(path.name.replace("cpu_", "cpu.")).write_text(text)
        return usable_cores(str(tmp_path / "cgroup"), str(tmp_path / "own"))

    return make


def test_without_limits_it_is_all_of_the_affinity(groups, tmp_path):
    assert groups("0::/a/b\n", a__b__cpu_max="max 100000\n") == ALL
    assert usable_cores(str(tmp_path / "none"), str(tmp_path / "none")) == ALL
    assert groups("4:cpu,cpuacct:/x\n", cpu__x__cpu_cfs_quota_us="-1\n") == ALL


@pytest.mark.parametrize("place", ["cpu_max", "a__cpu_max", "a__b__cpu_max"])
def test_a_limit_counts_wherever_above_it_stands(groups, place):
    assert groups("0::/a/b\n", **{place: "100000 100000\n"}) == 1


def test_a_part_of_a_core_is_one(groups):
    assert groups("0::/\n", cpu_max="20000 100000\n") == 1
    assert groups("0::/\n", cpu_max=f"{ALL * 100000 - 1} 100000\n") == ALL


def test_the_older_control_groups_whose_path_is_seen_from_outside(groups):
    files = {
        "cpu,cpuacct__cpu_cfs_quota_us": "50000\n",
        "cpu,cpuacct__cpu_cfs_period_us": "50000\n",
    }
    assert groups("9:name=systemd:/s\n4:cpu,cpuacct:/docker/123\n", **files) == 1


def test_a_group_above_the_root_is_no_way_out(groups):
    assert groups("0::/../../other\n", cpu_max="max 100000\n") == ALL
    assert not Path("/sys/fs/cgroup/no").exists()
