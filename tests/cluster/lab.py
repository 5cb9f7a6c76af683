"""Hosts of their own on one machine: network namespaces with a real sshd, a name and a /tmp each.

Needs root, iproute2, util-linux and openssh-server (``make test-cluster`` installs them). A host is
10.99.0.N; this machine is 10.99.0.254. Some folders are seen by all, as on a cluster's file system.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUBNET = "10.99.0"
#: What each host has for its own.
HIDDEN = ("/tmp", "/root", "/home")
#: The number of a second account, and of its group.
ADA = 4711
HERE = f"{SUBNET}.254"
NEEDED = ("ip", "nsenter", "unshare", "sshd", "ssh", "ssh-keygen")


def is_possible() -> bool:
    """Whether this machine can be a laboratory: the programs are there, and root may do it."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    if os.geteuid() != 0 or not all(shutil.which(name, path=path) for name in NEEDED):
        return False
    tries = "ip netns add labtry && ip link add labtry type bridge && unshare --mount --uts true"
    done = subprocess.run(["bash", "-c", tries], capture_output=True)
    sh("ip netns del labtry; ip link del labtry", check=False)
    return done.returncode == 0


def sh(command: str, check: bool = True) -> str:
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert not check or done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


def _code_in(place: str) -> set[Path]:
    """Return the folders of this code and its Python that a host's own ``place`` would hide."""
    code = {Path(__file__).parents[2], Path(sys.prefix), Path(sys.base_prefix)}
    return {path for path in code if path.is_relative_to(place)}


class LabHost:
    """One host, with sshd; its /tmp and its homes are its own. It has the accounts root and ada."""

    def __init__(self, number: int, folder: Path) -> None:
        self.number, self.name, self.ip = number, f"h{number}", f"{SUBNET}.{number}"
        self.own = folder / self.name
        for name in ("tmp", "root", "home/ada"):
            (self.own / name).mkdir(parents=True)
        (self.own / "tmp").chmod(0o1777)
        os.chown(self.own / "home/ada", ADA, ADA)
        for name, line in (
            ("passwd", f"ada:x:{ADA}:{ADA}::/home/ada:/bin/bash"),
            ("shadow", "ada:*"),
        ):
            rest = ":19000:0:99999:7:::" if name == "shadow" else ""
            file = self.own / name
            shutil.copy(f"/etc/{name}", file)
            with file.open("a") as accounts:
                accounts.write(f"{line}{rest}\n")
        self.key = folder / "id"
        self.known_hosts = folder / "known_hosts"
        self._network()
        self._sshd(folder)

    def _network(self) -> None:
        n = self.number
        sh(f"ip netns add h{n}")
        sh(f"ip link add v{n} type veth peer name e{n}; ip link set v{n} master br99 up")
        sh(f"ip link set e{n} netns h{n}")
        for line in (f"addr add {self.ip}/24 dev e{n}", f"link set e{n} up", "link set lo up"):
            sh(f"ip -n h{n} {line}")

    def _sshd(self, folder: Path) -> None:
        host_key = self.own / "host_key"
        sh(f"ssh-keygen -q -t ed25519 -N '' -f {host_key}")
        public = host_key.with_suffix(".pub").read_text()
        with self.known_hosts.open("a") as file:
            file.write(f"{self.ip} {public}")
        config = self.own / "sshd_config"
        config.write_text(
            f"HostKey {host_key}\nPidFile {self.own}/sshd.pid\nListenAddress {self.ip}\n"
            f"AuthorizedKeysFile {folder}/id.pub\nStrictModes no\nUsePAM no\n"
            "PermitRootLogin yes\nPasswordAuthentication no\nAcceptEnv *\nMaxStartups 100\n"
        )
        own = self.own
        Path("/run/sshd").mkdir(exist_ok=True)
        lent = "".join(
            f"mkdir -p {own}{path}; mount --bind {path} {own}{path};"
            for place in ("/tmp", "/root")
            for path in _code_in(place)
        )
        hidden = "".join(f"mount --rbind {own}{place} {place};" for place in HIDDEN)
        accounts = "".join(f"mount --bind {own}/{x} /etc/{x};" for x in ("passwd", "shadow"))
        self.enter(
            f"set -e; hostname {self.name}; {lent} {hidden} {accounts}"
            f" exec /usr/sbin/sshd -f {config} -E {own}/sshd.log"
        )
        for _ in range(50):
            if (own / "sshd.pid").exists():
                return
            time.sleep(0.1)
        raise TimeoutError((own / "sshd.log").read_text())

    def enter(self, script: str) -> None:
        """Run a script in the network of this host, and in new mounts and a new name."""
        subprocess.run(
            [
                *("nsenter", f"--net=/var/run/netns/{self.name}"),
                *("unshare", "--mount", "--uts", "bash", "-c", script),
            ],
            check=True,
        )

    def inside(self, script: str, check: bool = True) -> str:
        """Run a script where this host's sshd is: its network, its mounts, its name."""
        pid = (self.own / "sshd.pid").read_text().strip()
        done = subprocess.run(
            ["nsenter", "--target", pid, "--net", "--mount", "--uts", "bash", "-c", script],
            capture_output=True,
            text=True,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def processes(self) -> list[str]:
        """Return the commands of all processes in this host's network but its sshd's."""
        pids = sh(f"ip netns pids {self.name}").split()
        found = []
        for pid in pids:
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if command and "sshd" not in command:
                found.append(command)
        return found

    def listening(self) -> list[str]:
        """Return where somebody listens on this host, but for its sshd."""
        lines = self.inside("ss -Hltn").splitlines()
        return [line.split()[3] for line in lines if not line.split()[3].endswith(":22")]

    def left_in_tmp(self) -> set[str]:
        """Return what lies in this host's /tmp, but for the code that is lent to it there."""
        lent = {path.relative_to("/tmp").parts[0] for path in _code_in("/tmp")}
        return set(self.inside("ls -A /tmp").split()) - lent

    def cut(self) -> None:
        """Pull the cable."""
        sh(f"ip link set v{self.number} down")

    def mend(self) -> None:
        sh(f"ip link set v{self.number} up")

    def remove(self) -> None:
        for pid in sh(f"ip netns pids {self.name}", check=False).split():
            sh(f"kill -9 {pid}", check=False)
        sh(f"ip link del v{self.number}; ip netns del {self.name}", check=False)


@contextmanager
def lab(count: int) -> Iterator[list[LabHost]]:
    """So many hosts, gone with all that runs on them at the end of the block.

    There is one laboratory at a time: tests in other processes wait for theirs.
    """
    with open("/var/tmp/seqtune-lab.lock", "w") as waiting:
        fcntl.flock(waiting, fcntl.LOCK_EX)
        yield from _lab(count)


def _lab(count: int) -> Iterator[list[LabHost]]:
    folder = Path(tempfile.mkdtemp(prefix="lab", dir="/var/tmp"))
    folder.chmod(0o755)
    sh(f"ssh-keygen -q -t ed25519 -N '' -f {folder}/id")
    _clear()
    sh(f"ip link add br99 type bridge; ip addr add {HERE}/24 dev br99; ip link set br99 up")
    hosts: list[LabHost] = []
    try:
        for number in range(1, count + 1):
            hosts.append(LabHost(number, folder))
        yield hosts
    finally:
        _clear()
        shutil.rmtree(folder, ignore_errors=True)


def _clear() -> None:
    """Remove what a killed run may have left."""
    for name in sh("ip netns list", check=False).split():
        if name.startswith("h") and name[1:].isdigit():
            for pid in sh(f"ip netns pids {name}", check=False).split():
                sh(f"kill -9 {pid}", check=False)
            sh(f"ip link del v{name[1:]}; ip netns del {name}", check=False)
    sh("ip link del br99", check=False)


def cluster_file(
    path: Path, hosts: list[LabHost], *more: str, setup: tuple[str, ...] = (), cpus: int = 1
) -> Path:
    """Write a cluster file of these hosts; ``setup`` are lines of its environment."""
    lines = ["kind = 'ssh'", f"known_hosts = '{hosts[0].known_hosts}'", *more]
    for host in hosts:
        lines += ["[[hosts]]", f"host = '{host.ip}'", f"identity = '{host.key}'", f"cpus = {cpus}"]
    lines += ["[environment]", f"python = '{sys.executable}'"]
    lines += setup
    path.write_text("\n".join(lines) + "\n")
    return path
