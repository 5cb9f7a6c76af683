"""Hosts over ssh, in a laboratory: a search over them, what is left, and what goes wrong."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cli_sandbox import Sandbox
from tests.cluster.lab import ADA, LabHost, cluster_file, is_possible, lab, sh

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_possible(), reason="no root, sshd or network namespaces here"),
]

LONG = ("--set=stopping.max_epochs=3000", "--set=stopping.grace_epochs=3000")


class Place(Sandbox):
    """A sandbox whose results all hosts see, with a cluster file."""

    def __init__(
        self, hosts: list[LabHost], tables: dict[str, Any], *more: str, **options: Any
    ) -> None:
        root = hosts[0].own.parent / "shared"
        root.mkdir()
        super().__init__(root, tables)
        self.hosts = hosts
        self.environment["SEQTUNE_STATE"] = str(root / "state")
        self.file = cluster_file(root / "hosts.toml", hosts, *more, **options)
        self.before = set(Path("/tmp").glob("sq-*"))

    def cluster(self, verb: str, code: int = 0) -> str:
        out, err = self.run("cluster", verb, str(self.file), code=code)
        return out + err

    def is_clean(self) -> None:
        """Nothing is left: no process, no open port, no folder, no record."""
        for host in self.hosts:
            assert host.processes() == [], host.name
            assert host.listening() == [], host.name
            assert host.left_in_tmp() == set(), host.name
        assert list((self.root / "state" / "clusters").glob("*")) == []
        assert set(Path("/tmp").glob("sq-*")) <= self.before


@pytest.fixture
def two() -> Iterator[list[LabHost]]:
    with lab(2) as hosts:
        yield hosts


@pytest.fixture
def place(two: list[LabHost], tables: dict[str, Any]) -> Place:
    return Place(two, _with_data(tables, two))


def _with_data(tables: dict[str, Any], hosts: list[LabHost]) -> dict[str, Any]:
    """The study's data where the hosts can see it."""
    data = hosts[0].own.parent / "reviews.csv"
    data.write_text(Path(tables["data"]["source"]).read_text())
    tables["data"]["source"] = str(data)
    return tables


def hosts_of(place: Place) -> set[str]:
    return {row["host"] for row in place.trials()}


def test_a_search_over_two_hosts_leaves_nothing(place):
    """With logs of every node, and the journal of one machine."""
    _, err = place.run("run", "small.toml", "--trials", "16", "--cluster", str(place.file))
    place.check(16)
    assert hosts_of(place) == {"h1", "h2"}
    assert "10.99.0.1: ok:" in err and "10.99.0.2: ok:" in err
    logs = place.study.logs / "nodes"
    for node in ("10.99.0.1", "10.99.0.2", "this-machine"):
        assert (logs / node / "raylet.out").stat().st_size > 0
    place.is_clean()


def test_up_serves_searches_and_stays(place):
    began = time.monotonic()
    place.cluster("up")
    seconds = time.monotonic() - began
    assert seconds < 40, "twenty are wanted on a quiet machine"
    assert "up already" in place.cluster("up")
    rows = json.loads(place.run("cluster", "status", str(place.file), "--format", "json")[0])
    assert [(row["node"], row["state"]) for row in rows] == [
        ("10.99.0.1", "up"),
        ("10.99.0.2", "up"),
    ]
    place.run("run", "small.toml", "--cluster", str(place.file))
    place.check(6)
    assert len(json.loads(place.run("cluster", "status", str(place.file), "--format=json")[0])) == 2
    place.cluster("down")
    place.is_clean()


def start_long(place: Place) -> subprocess.Popen[str]:
    process = place.start("run", "small.toml", "--cluster", str(place.file), *LONG)
    place.wait_for_epochs(6)
    return process


def wait_until_clean(place: Place) -> None:
    """A guardian waits ten seconds for a start that a killed search may have left on its way."""
    for _ in range(80):
        try:
            place.is_clean()
            return
        except AssertionError:
            time.sleep(0.5)
    place.is_clean()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nodes_end_with_their_search(place, number):
    process = start_long(place)
    before = place.journal()
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == {signal.SIGINT: 130, signal.SIGKILL: -9}[number], err
    wait_until_clean(place)
    if number == signal.SIGKILL:
        return
    assert "resume with: " in err and f"--cluster {place.file}" in err
    assert place.journal().startswith(before)


@pytest.mark.thorough
def test_what_a_killed_guardian_leaves_the_next_one_finds(place):
    process = start_long(place)
    for child in psutil.Process(process.pid).children():
        if "cluster.ssh.guardian" in " ".join(child.cmdline()):
            child.kill()
    process.kill()
    process.communicate()
    time.sleep(2)
    assert all(host.processes() for host in place.hosts)
    assert "its search is over" in place.cluster("status")
    assert "study 'small' has left behind" in place.cluster("down")
    place.is_clean()


@pytest.mark.thorough
def test_a_node_whose_cable_is_cut_is_told_in_one_line_and_its_trials_move(place):
    longer = ("--set=stopping.max_epochs=600", "--set=stopping.grace_epochs=600", "--trials=3")
    process = place.start("run", "small.toml", "--cluster", str(place.file), *longer)
    place.wait_for_epochs(20)
    place.hosts[1].cut()
    out, err = process.communicate(timeout=280)
    assert process.returncode == 0, err
    place.check(3)
    about = [line for line in (out + err).splitlines() if "10.99.0.2" in line]
    assert [line.split(" (")[0] for line in about[2:]] == [
        "node 10.99.0.2 has left the cluster",
        "cannot take down the node on 10.99.0.2: ssh: connect to host 10.99.0.2 port 22: No route"
        " to host",
    ]
    assert "raylet" not in out + err
    place.hosts[1].mend()
    assert "has left behind" in place.cluster("down")
    place.is_clean()


@pytest.mark.thorough
def test_two_accounts_on_the_same_hosts(place):
    """Root searches from here, ada from the first host; each with a cluster of their own."""
    first = start_long(place)
    hers = place.root / "ada"
    hers.mkdir()
    text = place.file.read_text().replace(str(place.hosts[0].key), str(hers / "id"))
    (hers / "hosts.toml").write_text(text.replace("cpus = 1", "cpus = 1\nuser = 'ada'"))
    shutil.copy(place.hosts[0].key, hers / "id")
    shutil.copy(place.root / "small.toml", hers)
    for path in (hers, *hers.iterdir()):
        os.chown(path, ADA, ADA)
    host = place.hosts[0]
    script = f"cd {hers}; PYTHONPATH={place.code[0]} {sys.executable} -m search"
    host.inside(f"su ada -c '{script} run small.toml --cluster hosts.toml 2>log'", check=False)
    assert "6/6 done" in (hers / "log").read_text()
    rows = json.loads(host.inside(f"su ada -c '{script} trials small --format json'"))
    assert {row["state"] for row in rows} <= {"completed", "pruned"} and len(rows) == 6
    assert {row["host"] for row in rows} == {"h1", "h2"}
    assert {path.stat().st_uid for path in (hers / "results").rglob("*")} == {ADA}
    for each in place.hosts:
        assert each.inside("ls -A /tmp | xargs -I{} stat -c %U /tmp/{}").split() == ["root"]
    assert first.poll() is None
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=60)
    wait_until_clean(place)


@pytest.mark.thorough
def test_two_clusters_of_one_account(place):
    """The end of one is not the other's."""
    other = cluster_file(place.root / "other.toml", place.hosts)
    first = start_long(place)
    place.run("run", "small.toml", "--name", "second", "--cluster", str(other))
    assert json.loads(place.run("best", "second", "--format", "json")[0])["value"] > 0
    assert first.poll() is None
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=60)
    wait_until_clean(place)


@pytest.mark.thorough
def test_a_clock_an_hour_ahead_disturbs_nothing(two, tables):
    """On the second host; it is noted."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.skip("no libfaketime here")
    ahead = f"export LD_PRELOAD={library} FAKETIME=+3600s FAKETIME_FORCE_MONOTONIC_FIX=1"
    ahead += " RAY_LD_PRELOAD_ON_WORKERS=1"
    setup = f"""[ "$(hostname)" != h2 ] || {ahead}"""
    place = Place(two, _with_data(tables, two), setup=(f"setup = ['''{setup}''']",))
    _, err = place.run("run", "small.toml", "--cluster", str(place.file))
    place.check(6)
    assert "10.99.0.2: its clock is 3600 s ahead" in err, err
    assert hosts_of(place) == {"h1", "h2"}
    place.is_clean()


@pytest.mark.thorough
def test_a_frozen_driver_is_followed_by_one_of_another_host(place):
    """It wakes, writes nothing, and ends itself."""
    process = start_long(place)
    process.send_signal(signal.SIGSTOP)
    host = place.hosts[0]
    command = (
        f"cd {place.root}; SEQTUNE_CACHE=/tmp/c SEQTUNE_STATE=/tmp/s PYTHONPATH={place.code[0]}"
        f" {sys.executable} -m search resume small --set stopping.max_epochs=4"
        f" --set stopping.grace_epochs=4 --force"
    )
    began = time.monotonic()
    host.inside(command)
    assert time.monotonic() - began > 60, "it has taken a driver for dead that may live"
    before = place.journal()
    place.check(6)
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1 and "has taken the study over" in err, err
    assert place.journal() == before
    host.inside("rm -rf /tmp/c /tmp/s /tmp/ray")
    wait_until_clean(place)


@pytest.mark.thorough
def test_the_heads_death_is_told_and_the_search_resumes(place):
    process = start_long(place)
    for pid in sh("ip netns pids h1").split():
        if b"gcs_server" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(int(pid), signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1 and "the cluster's head (GCS) is gone" in err, err
    wait_until_clean(place)
    last = "--set=stopping.max_epochs=4", "--set=stopping.grace_epochs=4", "--force"
    place.run("resume", "small", "--cluster", str(place.file), *last)
    place.check(6)
    place.is_clean()


def driver_on(host: LabHost, place: Place, *arguments: str) -> str:
    """Run a command on a host, with records of its own; return what it says."""
    script = (
        f"cd {place.root}; SEQTUNE_STATE=/tmp/s PYTHONPATH={place.code[0]}"
        f" {sys.executable} -m search {shlex.join(arguments)} 2>&1"
    )
    return host.inside(script, check=False)


@pytest.mark.thorough
@pytest.mark.skipif(not shutil.which("sshfs"), reason="no sshfs here")
def test_results_where_each_machine_has_a_cache_of_its_own(place):
    """As on NFS: what another has written is seen once the attributes' age is over, and locks do
    not reach it. The driver's machine mounts the second host's folder."""
    first, second = place.hosts
    config = place.root.parent / "ssh_config"
    config.write_text(f"UserKnownHostsFile {first.known_hosts}\nIdentityFile {first.key}\n")
    ages = ("dcache", "dcache_stat", "dcache_dir", "dcache_link", "attr", "entry", "negative")
    options = ",".join(f"{age}_timeout=20" for age in ages)
    first.inside(
        f"sshfs -F {config} -o {options},sftp_server=/usr/lib/openssh/sftp-server"
        f" root@{second.ip}:{place.root} {place.root}"
    )
    said = driver_on(first, place, "run", "small.toml", "--cluster", str(place.file))
    assert "locks of the results folder do not reach it: the heartbeat guards" in said
    place.check(6)
    assert hosts_of(place) == {"h1", "h2"}
    more = ("resume", "small", "--trials", "8", "--force", *LONG, "--cluster", str(place.file))
    with ThreadPoolExecutor() as pool:
        running = pool.submit(driver_on, first, place, *more)
        place.wait_for_epochs(place.journal().count(b'"event":"epoch"') + 6)
        driver_on(second, place, "stop", "small")
        assert "resume with: " in running.result(timeout=60)
    first.inside(f"umount -l {place.root}; rm -rf /tmp/s")
    second.inside("rm -rf /tmp/s")
    wait_until_clean(place)


@pytest.mark.thorough
def test_a_driver_on_a_listed_host_has_its_slots(place):
    host = place.hosts[0]
    said = driver_on(host, place, "run", "small.toml", "--cluster", str(place.file))
    assert "this machine: node up" not in said and "10.99.0.1: ok" in said
    place.check(6)
    assert hosts_of(place) == {"h1", "h2"}
    assert host.inside("ls /tmp/s/clusters").split() == []
    host.inside("rm -rf /tmp/s")
    place.is_clean()


@pytest.mark.thorough
def test_a_host_behind_another(place):
    """The second is reached through the first; the key and the known hosts serve for both."""
    text = place.file.read_text()
    second = "host = '10.99.0.2'"
    place.file.write_text(text.replace(second, f"{second}\njump = '10.99.0.1'"))
    place.run("run", "small.toml", "--cluster", str(place.file))
    place.check(6)
    place.is_clean()


@pytest.mark.thorough
def test_a_driver_on_the_head_goes_on_when_nobody_looks(two, tables):
    place = Place(two, _with_data(tables, two), "driver = 'head'")
    where = ("--cluster", str(place.file), "--results-dir", str(place.root / "results"))
    _, err = place.run("run", "small.toml", *where)
    place.check(6)
    assert "the driver runs on 10.99.0.1" in err and "best trial" in err
    place.is_clean()
    process = place.start("resume", "small", "--trials", "8", "--force", *LONG, *where)
    epochs = place.journal().count(b'"event":"epoch"')
    place.wait_for_epochs(epochs + 6)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0 and "the search goes on" in err
    status = json.loads(place.run("status", "small", "--format", "json")[0])
    assert status["state"] == "running" and status["driver"]["host"] == "h1"
    began = time.monotonic()
    place.run("stop", "small")
    assert time.monotonic() - began < 10
    # The head's node ends with the driver, and the other when it has lost its head.
    deadline = time.monotonic() + 180
    while any(host.processes() for host in two) and time.monotonic() < deadline:
        time.sleep(1)
    assert not any(host.processes() for host in two)
    assert place.cluster("status").count("small (its search is over)") == 2
    place.cluster("down")
    place.is_clean()


@pytest.mark.thorough
def test_a_driver_on_the_head_of_a_cluster_that_is_up_leaves_it_up(two, tables):
    """Though no host can reach this machine but ssh, as from behind a router."""
    place = Place(two, _with_data(tables, two), "driver = 'head'")
    where = ("--cluster", str(place.file), "--results-dir", str(place.root / "results"))
    for host in two:
        host.inside("ip route add unreachable 10.99.0.254 table 99")
        host.inside("ip rule add ipproto tcp dport 1024-65534 sport 1024-65534 table 99")
    place.cluster("up")
    place.run("run", "small.toml", *where)
    place.check(6)
    assert hosts_of(place) == {"h1", "h2"}
    assert "up already" in place.cluster("up")
    place.cluster("down")
    place.is_clean()


@pytest.mark.thorough
def test_three_hosts(tables):
    with lab(3) as hosts:
        place = Place(hosts, _with_data(tables, hosts), "head = '10.99.0.2'")
        place.run("run", "small.toml", "--trials", "12", "--cluster", str(place.file))
        place.check(12)
        assert hosts_of(place) == {"h1", "h2", "h3"}
        place.is_clean()


# What is wrong is told before the first trial, by host, with a remedy.


def refused(place: Place, *more: str, code: int = 2) -> str:
    _, err = place.run("run", "small.toml", "--cluster", str(place.file), *more, code=code)
    assert "Traceback" not in err
    wait_until_clean(place)  # a host that was asked may need a moment to end
    return err


@pytest.mark.thorough
def test_results_that_are_not_shared(place, tmp_path):
    err = refused(place, "--results-dir", str(tmp_path / "mine"))
    assert "10.99.0.1: it does not see what the driver's machine writes there" in err
    assert "--results-dir must be a folder that all nodes share" in err
    assert not (tmp_path / "mine" / "small" / "journal.jsonl").exists()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("identity", "/dev/null"), "it accepts no key of yours"),
        (("known_hosts", "/dev/null"), "its key is not known here"),
        (("host = '10.99.0.2'", "host = '10.99.0.77'"), "No route to host"),
        (("host = '10.99.0.2'", "host = 'no.such.host.invalid'"), "no way to host"),
        (("python = ", "# python = "), "has no ray, this machine has 2.60"),
        (("cpus = 1", "cpus = 1\ngpus = 2"), "2 GPUs are declared, it has 0"),
        (("[environment]", "[storage]\nscratch = '/tmp/" + "x" * 40 + "'\n[environment]"), "too"),
        (("[environment]", "[environment]\nsetup = ['ulimit -n 500']"), "ulimit -n 65536"),
        (("[environment]", "[environment]\nmodules = ['cuda/99']"), "module"),
        (("cpus = 1", "cpus = 1\nip = '10.99.0.9'"), "it has no address 10.99.0.9"),
    ],
)
def test_what_is_wrong_with_a_host_is_told_by_name(place, change, said):
    text = place.file.read_text()
    key, value = change
    if key in ("identity", "known_hosts"):
        lines = [f"{key} = '{value}'" if x.startswith(key) else x for x in text.splitlines()]
        text = "\n".join(lines)
    else:
        assert key in text
        text = text.replace(key, value)
    place.file.write_text(text)
    err = refused(place)
    assert said in err and ("10.99.0." in err or "no.such.host" in err)
    assert not place.study.exists()


@pytest.mark.thorough
def test_a_way_that_is_closed_is_told_by_its_direction(place):
    host = place.hosts[1]
    host.inside("ip route add unreachable 10.99.0.254 table 99; ip rule add ipproto tcp table 99")
    err = refused(place, code=2)
    assert "10.99.0.2" in err


@pytest.mark.thorough
def test_doctor_looks_at_every_node(place):
    out, _ = place.run("doctor", "--cluster", str(place.file))
    assert [line.split(": ok:")[0] for line in out.splitlines()] == [
        "ok    10.99.0.1",
        "ok    10.99.0.2",
    ]
    place.is_clean()


def test_a_dry_run_prints_the_commands_and_starts_nothing(place):
    out, _ = place.run("run", "small.toml", "--cluster", str(place.file), "--dry-run")
    lines = [line for line in out.splitlines() if line.startswith("would run: ssh ")]
    assert len(lines) == 2 and all("ray.scripts.scripts start" in line for line in lines)
    assert not (place.root / "state").exists()
    assert not any(host.processes() for host in place.hosts)
