"""How long a person waits: for help, for a reader's answer, and for a search to leave.

``python tests/benchmarks/commands.py [--quick]``: ``--help`` and ``status`` behind a study of ten
trials; then a search that is told to leave by SIGTERM, and one by a second Ctrl-C.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from searches import Search, write_idle_study
from verdict import Figure, conclude, spread

COMMAND = [sys.executable, "-m", "search"]


def seconds_of(*arguments: str, repeats: int) -> list[float]:
    """Of a command's whole process."""
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        subprocess.run([*COMMAND, *arguments], check=True, capture_output=True)
        taken.append(time.perf_counter() - started)
    return taken


def seconds_to_leave(folder: Path, name: str, signals: list[signal.Signals]) -> float:
    """From the last of the signals to the end of the process."""
    limits = ["--set", "stopping.max_epochs=5000", "--set", "stopping.grace_epochs=5000"]
    command = [*COMMAND, "run", str(write_idle_study(folder)), "--trials", "2", "--name", name]
    process = subprocess.Popen(
        [*command, *limits, "--results-dir", str(folder / "results")], stderr=subprocess.DEVNULL
    )
    journal = folder / "results" / name / "journal.jsonl"
    while not journal.exists() or b'"event":"epoch"' not in journal.read_bytes():
        time.sleep(0.1)
    for number in signals:
        os.kill(process.pid, number)
        started = time.perf_counter()
    process.wait()
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, judges nothing")
    quick = parser.parse_args().quick
    repeats = 3 if quick else 10
    with tempfile.TemporaryDirectory(prefix="seqtune-commands-") as place:
        folder = Path(place)
        search = Search(folder, "idle", str(write_idle_study(folder)), "--trials", "10")
        for _ in search.samples():
            pass
        help_seconds = seconds_of("--help", repeats=repeats)
        results = str(folder / "results")
        status_seconds = seconds_of("status", "--results-dir", results, repeats=repeats)
        leaving = seconds_to_leave(folder, "told", [signal.SIGTERM])
        at_once = seconds_to_leave(folder, "twice", [signal.SIGINT, signal.SIGINT])
    print(
        f"help {spread(help_seconds)} s, status {spread(status_seconds)} s; "
        f"SIGTERM {leaving:.2f} s, a second Ctrl-C {at_once:.2f} s"
    )
    figures = {
        "help_seconds": Figure(statistics.median(help_seconds), "<=0.3"),
        "status_seconds": Figure(statistics.median(status_seconds), "<=1"),
        "leaving_seconds": Figure(leaving, "<=5"),
        "second_signal_seconds": Figure(at_once, "<=3"),
    }
    return conclude("commands", figures, quick)


if __name__ == "__main__":
    sys.exit(main())
