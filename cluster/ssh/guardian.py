"""A process that takes a search's nodes down once the search is over, however it ended.

It waits for the end of its standard input, which is a pipe from the search: the kernel closes that
whatever becomes of the search. ``python -m cluster.ssh.guardian FILE PID LOGS``.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cluster.settings import SshSettings, read_cluster_file

#: A search that is over waits for its nodes to be down for so long; then this goes on alone.
PATIENCE_SECONDS = 60.0


class Guardian:
    """The guardian of this process's nodes."""

    def __init__(self, file: Path, logs: Path | None) -> None:
        """Start it; the logs of nodes go to ``logs`` if that is there by then."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cluster.ssh.guardian", file, str(os.getpid()), logs or ""],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is not for it
        )

    def dismiss(self, tell: Callable[[str], None]) -> None:
        """Have it take the nodes down; pass on what it says."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        for line in self._process.stdout:
            tell(line.rstrip())
        self._process.wait(PATIENCE_SECONDS)


def take_down(file: Path, pid: int, logs: Path | None) -> None:
    """Take down all that a search has brought up."""
    from cluster.ssh.launcher import Launcher
    from cluster.ssh.record import Records

    settings, records = read_cluster_file(file), Records.of_user()
    assert isinstance(settings, SshSettings)
    launcher = Launcher(settings, file, records, _tell)
    for record in list(records.of_file(file)):
        if record.study and record.pid == pid:
            launcher.take_down(record, logs if logs and logs.parent.is_dir() else None)


def _tell(line: str) -> None:
    with suppress(BrokenPipeError):  # the search is gone
        print(line, flush=True)


if __name__ == "__main__":
    sys.stdin.read()
    take_down(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]) if sys.argv[3] else None)
