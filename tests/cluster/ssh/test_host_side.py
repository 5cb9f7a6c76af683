"""The part that runs on a host, tried on this machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from cluster.cores import usable_cores
from cluster.errors import ClusterError
from cluster.settings import Environment, Host
from cluster.ssh import host_node, host_survey
from cluster.ssh.detached import Command, _packed
from cluster.ssh.nodes import look, stop
from cluster.ssh.remote import Remote, _cause, _gate, preparation
from cluster.ssh.survey import TRIAL_PACKAGES

HERE = Remote(None, Environment(python=sys.executable))


def start_session(folder: Path, script: str, name: str = "node.json") -> subprocess.Popen[bytes]:
    """A session like a node's, with its folder."""
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen(["bash", "-c", script], start_new_session=True)
    host_node.write_session(str(folder), name, process.pid)
    return process


@pytest.mark.whole
def test_a_host_says_what_it_is():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        request = survey_of("127.0.0.1", meet=listener.getsockname(), guests=1)
        with HERE.asking(request) as answers:
            answer = next(answers)
            socket.create_connection(("127.0.0.1", answer["port"]), 5).close()
    assert answer["closed"] == "" and answer["cores"] == usable_cores()
    assert all(answer["versions"].values()) and answer["executable"] == sys.executable


def survey_of(ip: str | None, **more: Any) -> dict[str, Any]:
    """A request for a survey."""
    nobody = {"meet": None, "seen": None, "guests": 0, "ports": None, "packages": TRIAL_PACKAGES}
    return {"action": "survey", "ip": ip, **nobody, **more}


def test_the_way_is_tried_within_the_ports_that_are_open():
    answer = HERE.ask(survey_of("127.0.0.1", ports="23000-23149", meet=("127.0.0.1", 1)))
    assert 23000 <= answer["port"] <= 23149 and "refused" in answer["closed"]


def test_a_host_that_nobody_waits_for_is_known_by_the_address_ssh_has_used(monkeypatch):
    monkeypatch.setenv("SSH_CONNECTION", "10.9.9.9 50000 127.0.0.1 22")
    assert HERE.ask(survey_of(None))["ip"] == "127.0.0.1"
    monkeypatch.setenv("SSH_CONNECTION", "fe80::1 50000 fe80::2 22")
    assert HERE.ask(survey_of(None, seen="127.0.0.1"))["ip"] == "127.0.0.1"
    with pytest.raises(ClusterError, match="is not known: name it with ip"):
        HERE.ask(survey_of(None))


def test_an_address_that_the_host_has_not():
    with pytest.raises(ClusterError, match=r"it has no address 192\.0\.2\.1"):
        HERE.ask(survey_of("192.0.2.1"))


@pytest.mark.lengthy
def test_all_of_a_session_is_ended_and_nothing_else(tmp_path):
    neighbour = subprocess.Popen(["sleep", "60"], start_new_session=True)
    # One that ignores SIGTERM, and one in a process group of its own.
    node = start_session(tmp_path / "n", "trap '' TERM; set -m; sleep 60 & sleep 61")
    deadline = time.monotonic() + 5
    while len(host_node.members(node.pid, 0)) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert look(HERE, str(tmp_path / "n")) == {
        "there": True,
        "processes": 3,
        "driver": 0,
        "launched": False,
    }
    (tmp_path / "n" / "ray.log").write_text("all went well\n")
    assert stop(HERE, str(tmp_path / "n"), tmp_path / "logs") == ""
    node.wait()
    assert not (tmp_path / "n").exists()
    assert (tmp_path / "logs" / "this-machine" / "ray.log").read_text() == "all went well\n"
    assert neighbour.poll() is None
    neighbour.kill()
    neighbour.wait()


def test_a_process_that_has_taken_over_the_number_is_not_ended(tmp_path):
    other = start_session(tmp_path / "n", "sleep 60")
    content = json.loads((tmp_path / "n" / "node.json").read_text())
    (tmp_path / "n" / "node.json").write_text(json.dumps(content | {"started": 1}))
    assert look(HERE, str(tmp_path / "n"))["processes"] == 0
    assert stop(HERE, str(tmp_path / "n"), None) == ""
    assert other.poll() is None
    other.kill()
    other.wait()


def test_what_was_never_started_is_stopped_too(tmp_path):
    assert stop(HERE, str(tmp_path / "never"), tmp_path / "logs") == ""
    assert look(HERE, str(tmp_path / "never"))["there"] is False


def test_a_driver_is_ended_with_its_node(tmp_path):
    node = start_session(tmp_path / "n", "sleep 60")
    driver = start_session(tmp_path / "n", "sleep 60", "driver.json")
    assert look(HERE, str(tmp_path / "n"))["driver"] == 1
    assert stop(HERE, str(tmp_path / "n"), None) == ""
    assert {node.wait(), driver.wait()} == {-signal.SIGTERM}


@pytest.fixture
def request_of(tmp_path):
    return {
        "action": "start",
        "folder": str(tmp_path / "n"),
        "token": "secret",
        "environment": {},
        "arguments": ["--head", "--no-such-option"],
        "head": True,
        "ports": None,
        "wait_seconds": 60,
    }


@pytest.mark.slow
def test_a_node_that_does_not_start_says_why_and_leaves_nothing(request_of, tmp_path):
    request_of["folder"] = "/tmp/sq-test-n"
    with pytest.raises(ClusterError, match=r"this machine: Ray did not start: .*no-such-option"):
        HERE.ask(request_of)
    assert not Path("/tmp/sq-test-n").exists()


def test_a_folder_too_long_for_sockets(request_of):
    request_of["folder"] = "/tmp/" + "x" * 60
    with pytest.raises(ClusterError, match=r"too long a path .* \[storage\] scratch"):
        HERE.ask(request_of)


def test_a_scratch_that_takes_nothing(request_of):
    request_of["folder"] = "/proc/nothing/n"
    with pytest.raises(ClusterError, match=r"cannot make /proc/nothing/n: .* \[storage\] scratch"):
        HERE.ask(request_of)


@pytest.mark.slow
def test_nobody_sees_the_token(request_of):
    """It is on no command line, and in a file for its owner alone."""
    seen = set[str]()
    process = subprocess.Popen(
        HERE.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    from cluster.ssh.remote import script

    request_of["folder"], request_of["arguments"] = "/tmp/sq-test-t", ["--head", "--port=0"]
    request_of["arguments"] += ["--include-dashboard=false", "--num-cpus=1", "--block"]
    request_of["arguments"] += ["--temp-dir=/tmp/sq-test-t", "--object-store-memory=80000000"]
    process.stdin.write(script(HERE.environment, request_of))
    process.stdin.close()
    while process.poll() is None:
        for one in psutil.process_iter(["cmdline"]):
            seen.add(" ".join(one.info["cmdline"] or ()))
        time.sleep(0.1)
    try:
        assert any("ray.scripts.scripts start" in one for one in seen)
        assert not [one for one in seen if "secret" in one]
        assert Path("/tmp/sq-test-t/token").stat().st_mode & 0o777 == 0o600
    finally:
        assert stop(HERE, "/tmp/sq-test-t", None) == ""


def test_ports_are_within_their_range_and_free():
    request = {"head": True, "ports": "21000-21300", "cpus": 2}
    options = dict(one[2:].split("=") for one in host_survey.ports_of(request))
    workers = options.pop("worker-port-list").split(",")
    numbers = [int(port) for port in (*options.values(), *workers)]
    assert len(set(numbers)) == len(numbers) and len(workers) == host_survey.WORKER_PORTS
    assert all(21000 <= port <= 21300 for port in numbers)
    assert {"port", "node-manager-port", "dashboard-agent-listen-port"} <= options.keys()
    [many] = [
        one for one in host_survey.ports_of(request | {"cpus": 128}) if "worker-port-list" in one
    ]
    assert many.count(",") + 1 == 128 + host_survey.SPARE_PORTS
    with socket.socket() as taken:
        taken.bind(("", 21400))
        taken.listen()
        assert host_survey.free_ports(range(21400, 21402), 1) == [21401]
    with pytest.raises(host_survey.Refused, match="no 120 free ports among the 101"):
        host_survey.free_ports(range(21000, 21101), 120)


def test_what_raylet_said_last_is_the_reason(tmp_path):
    logs = tmp_path / "session_1" / "logs"
    logs.mkdir(parents=True)
    (tmp_path / "ray.log").write_text("Usage stats\n\n")
    assert host_node.last_words(str(tmp_path)) == "Usage stats"
    (logs / "raylet.out").write_text("[2026 I 1] fine\n[2026 C 1] port 7 is in use\n[2026 I 1] x\n")
    assert host_node.last_words(str(tmp_path)) == "[2026 C 1] port 7 is in use"


def test_of_a_long_log_the_end_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(host_node, "LOG_TAIL", 10)
    node = start_session(tmp_path / "n", "sleep 60")
    (tmp_path / "n" / "ray.log").write_text("begin" + "x" * 100 + "the end")
    packed = host_node.packed_logs(str(tmp_path / "n"))
    import base64
    import io
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed))) as tar:
        assert tar.extractfile("ray.log").read() == b"xxxthe end"
    node.kill()
    node.wait()


def test_the_environment_is_made_in_order(tmp_path):
    lines = preparation(
        Environment(
            venv="~/my env",
            modules=("gcc/13",),
            setup=("ulimit -n 5",),
            env={"A": "it's"},
        )
    )
    assert lines == [
        "set -e",
        "module load gcc/13",
        "ulimit -n 5",
        """. "$HOME"/'my env'/bin/activate""",
        """export A='it'"'"'s'""",
    ]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (Environment(modules=("gcc",)), "module"),
        (Environment(setup=("echo no compiler here >&2; exit 3",)), "no compiler here"),
        (Environment(venv="/no/venv"), "/no/venv/bin/activate"),
        (Environment(python="/no/python"), "/no/python"),
    ],
)
def test_an_environment_that_fails_is_told_by_its_own_words(environment, said):
    with pytest.raises(ClusterError, match=f"this machine: .*{said}"):
        Remote(None, environment).ask(survey_of("127.0.0.1"))
    # What was started in it before it broke can be looked at, and so ended.
    if not environment.setup:
        seen = Remote(None, environment).ask({"action": "look", "folder": "/x"})
        assert seen["there"] is False


def test_what_a_login_prints_is_passed_over():
    noisy = Environment(python=sys.executable, setup=("echo Welcome", "echo '[1]'"))
    assert Remote(None, noisy).ask({"action": "look", "folder": "/x"})["there"] is False


def test_the_command_of_a_host():
    host = Host(host="h", user="u", port=2, identity=Path("/k"), jump="g")
    command = Remote(host, Environment(), Path("/known")).command()
    assert command[0] == "ssh" and command[-2:] == ["u@h", "bash -l -s"]
    text = " ".join(command)
    for part in (
        "-o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=10",
        '-o ServerAliveInterval=15 -o UserKnownHostsFile="/known" -i /k',
        "-o IdentitiesOnly=yes -p 2 -o ProxyCommand=ssh -o BatchMode=yes",
        "-o 'UserKnownHostsFile=\"/known\"' -i /k -o IdentitiesOnly=yes -W %h:%p ssh://g u@h bash",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
            "-R",
        ),
        ("Host key verification failed.", "known_hosts"),
        ("ada@h: Permission denied (publickey).", "ssh-copy-id"),
        ("bash: line 2: /v/bin/activate: Permission denied", "activate: Permission denied"),
        ("", "without an answer"),
    ],
)
def test_what_ssh_says_is_told_with_its_remedy(said, told):
    assert told in _cause(said)


def test_a_host_that_does_not_answer_is_given_up():
    began = time.monotonic()
    stuck = Remote(None, Environment(python=sys.executable, setup=("sleep 30",)))
    with pytest.raises(ClusterError, match="this machine: it was reached, and did not answer"):
        stuck.ask({"action": "look", "folder": "/x"}, 0.5)
    assert time.monotonic() - began < 10


def test_an_answer_that_is_cut_short_is_none():
    cut = Environment(python=sys.executable, setup=('printf \'{"logs": "abc\'', "sleep 30"))
    with pytest.raises(ClusterError, match="did not answer in time"):
        Remote(None, cut).ask({"action": "look", "folder": "/x"}, 0.5)


def test_few_at_a_time_go_through_one_host():
    assert _gate("g") is _gate("g") is not _gate("h")
    held = [_gate("g").acquire(blocking=False) for _ in range(9)]
    for _ in range(held.count(True)):
        _gate("g").release()
    assert held == [True] * 8 + [False]


def test_a_folder_in_the_home_is_the_hosts_own(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "n").mkdir()
    assert look(HERE, "~/n")["there"] is True
    assert stop(HERE, "~/n", None) == "" and not (tmp_path / "n").exists()


def test_a_driver_that_ends_while_it_is_looked_for_has_its_code(tmp_path, monkeypatch, capsys):
    (tmp_path / "driver.log").write_text("all is well")

    def ends(folder: str, name: str) -> int:
        (tmp_path / "exit").write_text("3\n")
        return 0

    monkeypatch.setattr(host_node, "count_of", ends)
    host_node.follow({"folder": str(tmp_path)})
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert said == [{"said": "all is well"}, {"exit": 3}]


def test_a_driver_sees_its_code_first_and_ends_its_node(tmp_path, monkeypatch, capsys):
    """The environment's own path stays, for modules may have put packages there."""
    monkeypatch.setenv("PYTHONPATH", "/modules/site")
    node = start_session(tmp_path / "n", "sleep 60")
    sources = Path(host_node.__file__).parents[2]
    command = Command((), (sources / "cluster",), {}, {})
    request = {
        "folder": str(tmp_path / "n"),
        "code": _packed(command),
        "arguments": ["-c", "import os; print(os.environ['PYTHONPATH']); raise SystemExit(3)"],
        "environment": {},
    }
    try:
        host_node.launch(request)
        driver = json.loads(capsys.readouterr().out)["session"]
        node.wait(20)
        os.waitpid(driver, 0)
    finally:
        node.kill()
    assert (tmp_path / "n" / "driver.log").read_text() == f"{tmp_path}/n/code:/modules/site\n"
    assert (tmp_path / "n" / "exit").read_text() == "3\n"


def test_a_driver_beside_a_node_that_stays_has_a_folder_of_its_own(tmp_path, capsys):
    folder = tmp_path / "d"
    request = {
        "folder": str(folder),
        "token": "secret",
        "code": _packed(Command((), (), {"s.toml": "a = 1"}, {})),
        "arguments": ["-c", "print(open('s.toml').read())"],
        "environment": {},
    }
    host_node.launch(request)
    os.waitpid(json.loads(capsys.readouterr().out)["session"], 0)
    assert (folder / "driver.log").read_text().startswith("a = 1")
    assert folder.stat().st_mode & 0o777 == 0o700 and (folder / "token").read_text() == "secret"
    assert stop(HERE, str(folder), None) == "" and not folder.exists()
