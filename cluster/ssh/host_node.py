"""The part that runs on a host: starts one node there, and a driver, looks at it, ends it.

It follows ``host_survey`` in one script, without the lines of imports from it. A node has a folder
of its own, and a session of its own: to end all processes of the session is to end this node and
nothing else.
"""

import base64
import glob
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from contextlib import suppress
from typing import Any

from cluster.ssh.host_survey import Refused, answer, ports_of, read, survey

#: Longest path of a socket, and what Ray adds to the folder of its node.
MAX_SOCKET_PATH = 107
RAY_SOCKET_PATH = len("/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store.4194304")

#: The last so many bytes of each log are kept, and so many in all.
LOG_TAIL = 1 << 20
ALL_LOGS = 16 << 20

#: What a driver does last, in Python, beside its code.
_END_NODE = "import sys; from cluster.ssh.host_node import end_node; end_node(sys.argv[1])"

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def start(request: dict[str, Any]) -> None:
    """Start a node and wait until it is up.

    The folder is there before anything runs, and says which process it is of: so whoever looks for
    what was left behind finds it.
    """
    folder, ports = request["folder"], ports_of(request)
    if len(folder) + RAY_SOCKET_PATH > MAX_SOCKET_PATH:
        raise Refused(f"{folder} is too long a path for Ray's sockets: shorten [storage] scratch")
    token = make_folder(folder, request["token"])
    environment = {key: value for key, value in os.environ.items() if key not in PROXIES}
    environment.update(request["environment"], RAY_AUTH_TOKEN_PATH=token)
    environment.pop("RAY_AUTH_TOKEN", None)
    command = [sys.executable, "-m", "ray.scripts.scripts", "start"]
    command += [*request["arguments"], f"--temp-dir={folder}", *ports]
    process = spawn(command, os.path.join(folder, "ray.log"), environment, folder)
    try:
        write_session(folder, "node.json", process.pid)
        address = wait_until_up(folder, process, request["head"], request["wait_seconds"])
    except BaseException:
        end_session(process.pid, 0)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    answer(session=process.pid, address=address)


def make_folder(folder: str, token: str) -> str:
    """Make a folder of our own with a cluster's token; return the path of that."""
    path = os.path.join(folder, "token")
    try:
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        os.mkdir(folder, 0o700)
        with open(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(token)
    except OSError as error:
        raise Refused(f"cannot make {folder}: {error.strerror}; see [storage] scratch") from error
    return path


def spawn(
    command: list[str], log: str, environment: dict[str, str], folder: str
) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, with all that it says in a log."""
    with open(log, "wb") as said:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )


def wait_until_up(
    folder: str, process: subprocess.Popen[bytes], is_head: bool, seconds: float
) -> str:
    """Return the address of the cluster that the node has opened or joined."""
    published, log = os.path.join(folder, "ray_current_cluster"), os.path.join(folder, "ray.log")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if "--block" in read(log) and (read(published).strip() or not is_head):
            return read(published).strip()
        if process.poll() is not None:
            raise Refused(f"Ray did not start: {last_words(folder)}")
        time.sleep(0.1)
    raise Refused(f"Ray was not up after {seconds} s: {last_words(folder)}")


def last_words(folder: str) -> str:
    """Return what a node has said last of what went wrong."""
    lines = [line.strip() for line in read(os.path.join(folder, "ray.log")).splitlines()]
    for path in sorted(glob.glob(os.path.join(folder, "session_*", "logs", "*.*"))):
        if os.path.basename(path).startswith(("raylet.", "gcs_server.")):
            lines += [line for line in read(path).splitlines() if " C " in line or " E " in line]
    said = [line for line in lines if line]
    return said[-1] if said else "it said nothing"


def launch(request: dict[str, Any]) -> None:
    """Unpack the code, and run a command with it beside the node, whether anybody stays or not.

    Its node ends with it, and the others that have lost their head soon after. Beside a node that
    is to stay it has a ``token``, and a folder of its own.
    """
    folder, token = request["folder"], request.get("token")
    code = os.path.join(folder, "code")
    if token:
        make_folder(folder, token)
    os.makedirs(code)
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(request["code"]))) as tar:
        tar.extractall(code)
    paths = [code, os.environ.get("PYTHONPATH", "")]  # modules may have put more on it
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, paths)))
    environment.update(request["environment"])
    environment.update(RAY_AUTH_TOKEN_PATH=os.path.join(folder, "token"))
    environment.pop("RAY_AUTH_TOKEN", None)
    # The exit code is a file of its own, which is there when all that was said is.
    script = '"$@"; echo $? > ../exit.writing; mv ../exit.writing ../exit; '
    script += f'exec "$0" -c "{_END_NODE}" ..'
    command = ["sh", "-c", script, sys.executable, sys.executable, *request["arguments"]]
    process = spawn(command, os.path.join(folder, "driver.log"), environment, code)
    write_session(folder, "driver.json", process.pid)
    answer(session=process.pid)


def follow(request: dict[str, Any]) -> None:
    """Say what the driver says, until it ends; then its exit code, or None if it was killed."""
    folder = request["folder"]
    with open(os.path.join(folder, "driver.log"), encoding="utf-8", errors="replace") as log:
        while True:
            gone = not count_of(folder, "driver.json")
            # Behind that look: a driver that ends between leaves its code first.
            code = read(os.path.join(folder, "exit")).strip()
            over = gone or bool(code)
            text = log.read()
            if text:
                answer(said=text)
            if over:
                answer(exit=int(code) if code else None)
                return
            time.sleep(0.2)


def look(request: dict[str, Any]) -> None:
    """Say whether a node's folder is there, and how many processes it and a driver there have."""
    folder = request["folder"]
    answer(
        there=os.path.isdir(folder),
        processes=count_of(folder, "node.json"),
        driver=count_of(folder, "driver.json"),
        launched=os.path.exists(os.path.join(folder, "driver.json")),
    )


def count_of(folder: str, name: str) -> int:
    """Return how many processes the session has that wrote itself down in a file."""
    found = session_of(folder, name)
    return len(members(*found)) if found else 0


def stop(request: dict[str, Any]) -> None:
    """End a node, and a driver there, hand its logs over, and remove its folder."""
    folder, left = request["folder"], 0
    for name in ("driver.json", "node.json"):
        found = session_of(folder, name)
        left += end_session(*found) if found else 0
    logs = packed_logs(folder) if request["logs"] else ""
    if not left:
        shutil.rmtree(folder, ignore_errors=True)
    answer(left=left, there=os.path.isdir(folder), logs=logs)


def end_node(folder: str) -> None:
    """End the node of a folder, whose logs stay."""
    found = session_of(folder, "node.json")
    if found:
        end_session(*found)


def write_session(folder: str, name: str, session: int) -> None:
    """Write down which session is ours to end, until this machine starts anew."""
    content = {"session": session, "started": started_at(session), "boot": boot_id()}
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        json.dump(content, file)


def boot_id() -> str:
    """Return what names this run of the machine."""
    return read("/proc/sys/kernel/random/boot_id").strip()


def session_of(folder: str, name: str) -> tuple[int, int] | None:
    """Return the session that wrote itself down, and when it began; None if it is not ours to end:
    another has its number by now."""
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError):
        return None
    # Of a leader that has ended, others of its session may be left.
    now = started_at(content["session"])
    if content["boot"] != boot_id() or now not in (None, content["started"]):
        return None
    return int(content["session"]), int(content["started"] or 0)


def started_at(pid: int) -> int | None:
    """Return when a process began, in ticks since this machine did; None if there is none."""
    text = read(f"/proc/{pid}/stat")
    return int(text.rpartition(")")[2].split()[19]) if text else None


def members(session: int, since: int) -> list[int]:
    """Return the living processes of this user in a session, which began with it or later."""
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        state = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        if not state or state[0] == "Z" or int(state[3]) != session or int(state[19]) < since:
            continue
        with suppress(OSError):  # it has ended
            if os.stat(f"/proc/{pid}").st_uid in (os.getuid(), 0):
                found.append(pid)
    return found


def end_session(session: int, since: int) -> int:
    """End all processes of a session; return how many could not be ended."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in members(session, since):
            with suppress(OSError):  # it has ended
                os.kill(pid, number)
        deadline = time.monotonic() + 3.0
        while time.monotonic() < deadline:
            if not members(session, since):
                return 0
            time.sleep(0.05)
    return len(members(session, since))


def packed_logs(folder: str) -> str:
    """Return the ends of a node's logs, as base64 of a compressed tar."""
    paths = [os.path.join(folder, "ray.log")]
    paths += sorted(glob.glob(os.path.join(folder, "session_*", "logs", "*")))
    buffer, room = io.BytesIO(), ALL_LOGS
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path in paths:
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            content = b""
            with suppress(OSError), open(path, "rb") as file:
                file.seek(max(0, os.path.getsize(path) - LOG_TAIL))
                content = file.read(LOG_TAIL)
            room -= len(content)
            if not content or room < 0:
                continue
            entry = tarfile.TarInfo(os.path.basename(path))
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return base64.b64encode(buffer.getvalue()).decode()


def main(request: dict[str, Any]) -> None:
    """Answer one request."""
    actions = (survey, start, launch, follow, look, stop)
    if "folder" in request:
        request["folder"] = os.path.expanduser(request["folder"])
    try:
        {action.__name__: action for action in actions}[request["action"]](request)
    except Refused as error:
        answer(refused=str(error))
