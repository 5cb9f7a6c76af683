"""A full disk: a small tmpfs as results folder. Needs the right to mount one."""

import errno
import subprocess
from pathlib import Path

import pytest

from tests.cli_sandbox import Sandbox, whole_lines

pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(tmp_path):
    """Eight megabytes."""
    disk = tmp_path / "results"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("no right to mount a tmpfs here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path, leave_bytes: int) -> Path:
    """A file that takes all room but a little.

    It grows until the disk refuses: the trials write beside it, so no figure of
    the room left is true for long.
    """
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC
        file.truncate(max(0, file.tell() - leave_bytes))
    return ballast


@pytest.mark.parametrize("leave_bytes", [pytest.param(0, marks=pytest.mark.thorough), 40_000])
def test_full_disk_ends_the_search_and_room_resumes_it(small_disk, tmp_path, tables, leave_bytes):
    tables["stopping"]["max_epochs"] = 50
    tables["search"]["trials"] = 3
    place = Sandbox(tmp_path, tables)
    process = place.start("run", "small.toml")
    place.wait_for_epochs(3)
    ballast = fill(small_disk, leave_bytes)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert "No space left" in err and "resume with: " in err and "-m search resume small" in err
    before = place.journal()
    ballast.unlink()
    place.run("resume", "small")
    assert place.journal().startswith(whole_lines(before))
    place.check(3)
    assert not [event for event in place.events() if event.event == "failure"]
