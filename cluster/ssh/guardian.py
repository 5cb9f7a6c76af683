"""A process that takes a search's nodes down once the search is over, however it ended.

It waits for the end of its standard input, which is a pipe from the search: the kernel closes that
whatever becomes of the search. ``python -m cluster.ssh.guardian FILE PID LOGS``.
"""

import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

#: A search that is over waits for its nodes to be down for so long; then this goes on alone.
PATIENCE_SECONDS = 60.0

#: What a search says that ends in order. One that was killed may have left a start on its way.
_IN_ORDER = "in order"
_ON_ITS_WAY_SECONDS = 10.0

_ROOT = Path(__file__).parents[2]


class Guardian:
    """The guardian of this process's nodes."""

    def __init__(self, file: Path, logs: Path | None) -> None:
        """Start it; the logs of nodes go to ``logs`` if that is there by then."""
        path = os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        arguments = [str(file), str(os.getpid()), str(psutil.Process().create_time())]
        self._process = subprocess.Popen(
            # -P: a module named like ours in the folder of the search is not ours.
            [sys.executable, "-P", "-m", "cluster.ssh.guardian", *arguments, str(logs or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is not for it
        )
        self._file = file

    def dismiss(self, tell: Callable[[str], None]) -> None:
        """Have it take the nodes down; pass on what it says."""
        assert self._process.stdin and self._process.stdout
        with suppress(BrokenPipeError):
            self._process.stdin.write(_IN_ORDER)
            self._process.stdin.close()
        lines = self._process.stdout

        def listen() -> None:
            for line in lines:
                tell(line.rstrip())

        reader = threading.Thread(target=listen, daemon=True)
        reader.start()
        reader.join(PATIENCE_SECONDS)
        with suppress(subprocess.TimeoutExpired):
            if self._process.wait(1.0) == 0:
                return
        file = shlex.quote(str(self._file))
        tell(f"nodes may be left: look with 'seqtune cluster status {file}'")


def take_down_all(file: Path, pid: int, began: float, logs: Path | None) -> None:
    """Take down all that a search has brought up."""
    from cluster.ssh.ending import take_down
    from cluster.ssh.record import Records, this_machine

    records = Records.of_user()
    for record in list(records.of_file(file)):
        ours = (record.pid, record.machine) == (pid, this_machine())
        if record.study and not record.detached and ours and abs(record.began - began) < 1.0:
            take_down(records, record, _tell, logs if logs and logs.parent.is_dir() else None)


def _tell(line: str) -> None:
    with suppress(BrokenPipeError):  # the search is gone
        print(line, flush=True)


def _main(file: str, pid: str, began: str, logs: str) -> None:
    in_order = sys.stdin.read() == _IN_ORDER
    if not in_order:
        time.sleep(_ON_ITS_WAY_SECONDS)
    take_down_all(Path(file), int(pid), float(began), Path(logs) if logs else None)


if __name__ == "__main__":
    _main(*sys.argv[1:])
