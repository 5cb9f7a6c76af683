"""Runs our part on a host, over ssh or on this machine, with everything through standard input."""

import json
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError
from cluster.settings import Environment, Host

CONNECT_SECONDS = 10

#: A host that has not answered by then, behind a home that hangs for instance, is given up.
ANSWER_SECONDS = 60.0

#: Bytes a second of a slow way, for what travels on it.
SLOW_BYTES = 100_000

#: Connections at a time through one host on the way: sshd turns more away, by chance.
_AT_ONCE = 8

#: What needs the standard library alone, and must work where the environment is gone by now.
_WITHOUT_ENVIRONMENT = ("look", "stop", "follow")

#: What ssh says, and what to do about it.
_REMEDIES = {
    # Before the next: ssh says both where a key has changed.
    "REMOTE HOST IDENTIFICATION HAS CHANGED": "its key is another than the one known here: if it "
    "was set up anew, remove the old one with ssh-keygen -R; else somebody may be in between",
    "Host key verification failed": "its key is not known here: connect once by hand and compare "
    "it, or name a file with known_hosts",
    "Permission denied (": "it accepts no key of yours: name one with identity, or add yours there "
    "with ssh-copy-id",
    "Could not resolve hostname": "no such host is known",
}


@dataclass(frozen=True)
class Remote:
    """A host, and how its Python is reached.

    Attributes:
        host: as in the cluster file; None for this machine.
        known_hosts: the file of host keys, if it is not the user's own.
    """

    host: Host | None
    environment: Environment
    known_hosts: Path | None = None

    @property
    def name(self) -> str:
        return self.host.name if self.host else "this machine"

    def command(self) -> list[str]:
        """Return the command that reads a script from its standard input on the host."""
        if self.host is None:
            return ["bash", "-s"]
        command = self._ssh()
        if self.host.port:
            command += ["-p", str(self.host.port)]
        if self.host.jump:  # -J would pass neither the key nor the known hosts on
            through = [*self._ssh(), "-W", "%h:%p", f"ssh://{self.host.jump}"]
            command += ["-o", f"ProxyCommand={shlex.join(through)}"]
        return [*command, self.host.name, "bash -l -s"]

    def hostname(self) -> str | None:
        """Return the name or address that ssh goes to, as its configuration says; None if it says
        nothing."""
        assert self.host
        with suppress(OSError):
            asked = ["ssh", "-G", self.host.name]
            said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
            pairs = (line.partition(" ") for line in said.splitlines())
            return next((value for key, _, value in pairs if key == "hostname"), None)
        return None

    def _ssh(self) -> list[str]:
        """Return ssh with the options that any host on the way is reached with."""
        assert self.host
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "ConnectTimeout": CONNECT_SECONDS,
            "ServerAliveInterval": 15,
        }
        command = ["ssh"]
        for key, value in options.items():
            command += ["-o", f"{key}={value}"]
        if self.known_hosts:
            command += ["-o", f'UserKnownHostsFile="{self.known_hosts}"']
        if self.host.identity:
            command += ["-i", str(self.host.identity), "-o", "IdentitiesOnly=yes"]
        return command

    def ask(self, request: dict[str, Any], seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        """Put a request to our part on the host, and return its answer.

        Raises:
            ClusterError: the host cannot be reached, does not answer in so many seconds, or
                refuses; names it, and the remedy.
        """
        with self.asking(request, seconds) as answers:
            return next(answers)

    @contextmanager
    def asking(
        self, request: dict[str, Any], seconds: float | None = None
    ) -> Iterator[Iterator[dict[str, Any]]]:
        """Put a request; the block takes the answers as they come, for so many seconds at most.

        Raises:
            ClusterError: see ``ask``; from the iterator.
        """
        with _gate(self.host.jump) if self.host and self.host.jump else nullcontext():
            try:
                process = self._started()
            except FileNotFoundError as error:
                raise ClusterError(f"{self.name}: no program {error.filename!r} here") from error
            with _killed_after(seconds, process) as is_late, self._talk(process, request):
                yield self._answers(process, is_late)

    @contextmanager
    def _talk(self, process: subprocess.Popen[str], request: dict[str, Any]) -> Iterator[None]:
        """Hand the script over; end the process with the block."""
        assert process.stdin and process.stdout and process.stderr
        try:
            with suppress(BrokenPipeError):  # ssh has given up already, and says why
                process.stdin.write(script(self.environment, request))
                process.stdin.close()
            yield
        except BaseException:
            process.terminate()  # nobody waits for the rest
            raise
        finally:
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.stdout.close()
            process.stderr.close()
            process.wait()

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for us: what was started must still be ended
        )

    def _answers(
        self, process: subprocess.Popen[str], is_late: threading.Event
    ) -> Iterator[dict[str, Any]]:
        """Yield the lines that are answers: a login may print some of its own."""
        assert process.stdout and process.stderr
        for line in process.stdout:
            if line.startswith("{") and line.endswith("}\n"):  # else the way was cut amid it
                answer: dict[str, Any] = json.loads(line)
                if "refused" in answer:
                    raise ClusterError(f"{self.name}: {answer['refused']}")
                yield answer
        if is_late.is_set():
            raise ClusterError(f"{self.name}: it was reached, and did not answer in time")
        raise ClusterError(f"{self.name}: {_cause(process.stderr.read())}")


@cache
def _gate(jump: str) -> threading.BoundedSemaphore:
    """Return what lets few through a host on the way at a time."""
    return threading.BoundedSemaphore(_AT_ONCE)


@contextmanager
def _killed_after(
    seconds: float | None, process: subprocess.Popen[str]
) -> Iterator[threading.Event]:
    """Kill the process, and what it has started, if the block takes longer; the event tells."""
    is_late = threading.Event()

    def kill() -> None:
        is_late.set()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(seconds, kill) if seconds is not None else None
    if timer:
        timer.daemon = True
        timer.start()
    try:
        yield is_late
    finally:
        if timer:
            timer.cancel()


def _cause(said: str) -> str:
    """Return what ssh, or the host's shell, had to say; and what to do about it, if we know."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for sign, remedy in _REMEDIES.items():
        if any(sign in line for line in lines):
            return remedy
    return lines[-1] if lines else "it ended without an answer"


def script(environment: Environment, request: dict[str, Any]) -> str:
    """Return the lines of bash that set the environment up and run our part there."""
    lines = [*preparation(environment), f"python={_quoted(environment.python or 'python3')}"]
    if request["action"] in _WITHOUT_ENVIRONMENT:
        lines[0] = "set +e"
        lines.append('command -v "$python" > /dev/null || python=python3')
    return "\n".join(
        [
            *lines,
            "exec \"$python\" - <<'SEQTUNE_HOST_SIDE'",
            _host_side(),
            f"main(json.loads({json.dumps(json.dumps(request))}))",
            "SEQTUNE_HOST_SIDE",
            "",
        ]
    )


def preparation(environment: Environment) -> list[str]:
    """Return the lines of bash that make the environment; the first that fails ends it."""
    lines = ["set -e"]
    lines += [f"module load {shlex.quote(name)}" for name in environment.modules]
    lines += environment.setup
    if environment.venv:
        lines.append(f". {_quoted(environment.venv)}/bin/activate")
    if environment.conda:
        lines.append('eval "$(conda shell.bash hook)"')
        lines.append(f"conda activate {_quoted(environment.conda)}")
    lines += [f"export {key}={shlex.quote(value)}" for key, value in environment.env.items()]
    return lines


def _quoted(path: str) -> str:
    """Return a path for bash; a home folder is the host's own."""
    if path.startswith("~/"):
        return f'"$HOME"/{shlex.quote(path[2:])}'
    return shlex.quote(path)


@cache
def _host_side() -> str:
    here = Path(__file__)
    files = (
        here.with_name("host_survey.py"),  # the first, for what it has from __future__
        here.parents[1] / "cores.py",
        here.with_name("host_node.py"),
    )
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return "\n".join(line for line in lines if not line.startswith("from cluster."))
