"""A folder to run whole searches in, through the command line, and to judge them."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import tomli_w
from click.testing import CliRunner, Result

from search.cli.main import main
from search.journal.events import EpochDone, TrialEnded
from search.journal.folder import StudyDir
from search.journal.journal import read_events
from search.journal.state import replay


def invoke(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


class Sandbox:
    """A folder with a study file, its own cache and results, and the command."""

    def __init__(self, root: Path, tables: dict[str, Any]) -> None:
        self.root = root
        self.study = StudyDir(root / "results" / "small")
        (root / "small.toml").write_text(tomli_w.dumps(tables))
        self.environment = os.environ | {"SEQTUNE_CACHE": str(root / "cache")}
        self.code = [Path(__file__).parents[1]]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command; on this machine a search trains one trial at a time, unless it is told
        otherwise: each process of a trial takes four seconds of CPU to begin."""
        begins = arguments[0] in ("run", "resume") and "--cluster" not in arguments
        alone = ("--max-concurrent", "1") if begins and "--max-concurrent" not in arguments else ()
        return subprocess.Popen(
            [sys.executable, "-m", "search", *arguments, *alone],
            cwd=self.root,
            env=self.environment | {"PYTHONPATH": os.pathsep.join(map(str, self.code))},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=240)
        assert process.returncode == code, out + err
        return out, err

    def wait_for_epochs(self, count: int) -> None:
        deadline = time.monotonic() + 120
        while self.journal().count(b'"event":"epoch"') < count:
            assert time.monotonic() < deadline, "no epochs came"
            time.sleep(0.05)

    def journal(self) -> bytes:
        return self.study.journal.read_bytes() if self.study.journal.exists() else b""

    def events(self) -> list[Any]:
        return read_events(self.study.journal)

    def trials(self) -> list[dict[str, Any]]:
        return json.loads(self.run("trials", "small", "--format", "json")[0])

    def check(self, total: int) -> None:
        """Every wanted trial ended once, and each of its epochs stands in the journal once."""
        events = self.events()
        epochs = [(e.trial, e.epoch) for e in events if isinstance(e, EpochDone)]
        ends = [e.trial for e in events if isinstance(e, TrialEnded)]
        assert len(set(epochs)) == len(epochs)
        assert sorted(ends) == list(range(total))
        replay(events)


#: What Ray calls the process of a trial: by the method that it is in, and between two by its class.
TRIAL = ("ray::ResourceTrainable", "ray::RecurrentTrial")


def family(driver: subprocess.Popen[str], *words: str) -> list[psutil.Process]:
    """Processes that a driver has started, and those of theirs; where words are given, those with
    one of them in their command."""
    found = []
    for process in psutil.Process(driver.pid).children(recursive=True):
        try:
            command = " ".join(process.cmdline())
            if not words or any(word in command for word in words):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def listening_addresses(driver: subprocess.Popen[str]) -> set[str]:
    """Where a driver and its processes listen."""
    found = set[str]()
    for member in [psutil.Process(driver.pid), *family(driver)]:
        with suppress(psutil.NoSuchProcess):  # Ray's helpers come and go
            found |= {
                connection.laddr.ip.removeprefix("::ffff:")
                for connection in member.net_connections("inet")
                if connection.status == psutil.CONN_LISTEN
            }
    assert found
    return found


def whole_lines(content: bytes) -> bytes:
    return content[: content.rfind(b"\n") + 1]
