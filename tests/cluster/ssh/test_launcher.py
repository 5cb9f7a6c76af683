"""Bringing up and taking down, over hosts that are imagined; ``test_hosts`` has real ones."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from cluster.errors import ClusterError
from cluster.kinds.ssh import Ssh
from cluster.settings import Host, SshSettings
from cluster.ssh import launcher as launcher_module
from cluster.ssh import starting
from cluster.ssh.detached import Command, follow, run_on_head
from cluster.ssh.ending import sweep, take_down
from cluster.ssh.launcher import Launcher
from cluster.ssh.record import Record, Records, StartedNode
from cluster.ssh.remote import Remote
from cluster.ssh.starting import start_commands
from cluster.ssh.survey import Survey, in_parallel

SETTINGS = SshSettings(
    kind="ssh", hosts=(Host(host="a"), Host(host="b", cpus=3, gpus=1, gpu_type="A100")), head="b"
)


JSON = SETTINGS.model_dump_json()


class World:
    """The hosts as they are: nodes by folder, and what fails."""

    def __init__(self) -> None:
        self.nodes: dict[str, str] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.failing: set[tuple[str, str]] = set()
        self.drivers: set[str] = set()

    def ask(self, remote: Remote, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((remote.name, request))
        action, folder = request["action"], request["folder"]
        if (remote.name, action) in self.failing:
            raise ClusterError(f"{remote.name}: it will not")
        if action == "start":
            self.nodes[folder] = remote.name
            return {"session": 1, "address": "10.0.0.2:7" if request["head"] else ""}
        if action == "stop":
            self.nodes.pop(folder, None)
            return {"left": 0, "there": False, "logs": ""}
        if action == "look":
            there = folder in self.nodes
            return {
                "there": there,
                "processes": int(there),
                "driver": int(folder in self.drivers),
                "launched": True,
            }
        self.drivers.add(folder)
        return {"session": 2}


@pytest.fixture
def world(monkeypatch) -> World:
    made = World()
    monkeypatch.setattr(Remote, "ask", lambda remote, request, *_: made.ask(remote, request))
    found = [
        Survey(Remote(host, SETTINGS.environment), f"10.0.0.{i}", host.host, cores=8, gpus=0)
        for i, host in enumerate(SETTINGS.hosts, start=1)
    ]
    monkeypatch.setattr(launcher_module, "survey", lambda settings, driver_here=True: found)
    monkeypatch.setattr(starting, "address_towards", lambda host: "10.0.0.9")
    return made


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def launcher(tmp_path, said) -> Launcher:
    return Launcher(SETTINGS, tmp_path / "c.toml", Records(tmp_path / "state"), said.append)


def test_up_starts_the_head_first_and_once(world, launcher, said):
    launcher.up()
    assert sorted(world.nodes.values()) == ["a", "b"]
    starts = [(name, request) for name, request in world.asked if request["action"] == "start"]
    assert [name for name, _ in starts] == ["b", "a"]
    head, worker = (request["arguments"] for _, request in starts)
    assert "--head" in head and "--port=0" in head and "--num-gpus=1" in head
    assert '--resources={"accelerator_type:A100": 1}' in head and "--num-cpus=3" in head
    assert "--address=10.0.0.2:7" in worker and "--num-cpus=8" in worker
    assert len({request["token"] for _, request in starts}) == 1
    record = launcher.find_up()
    assert record is not None and record.address == "10.0.0.2:7"
    assert launcher.records.token_file(record.key).stat().st_mode & 0o777 == 0o600
    launcher.up()
    assert said[-1] == "up already at 10.0.0.2:7" and len(world.nodes) == 2
    launcher.down()
    assert not world.nodes and launcher.find_up() is None
    assert list(launcher.records.folder.iterdir()) == []


def test_what_of_it_is_down_is_brought_up_again(world, launcher):
    launcher.up()
    worker = next(folder for folder, name in world.nodes.items() if name == "a")
    del world.nodes[worker]
    assert {one.node: one.state for one in launcher.status()} == {"b": "up", "a": "gone"}
    launcher.up()
    assert world.nodes[worker] == "a"
    head = next(folder for folder, name in world.nodes.items() if name == "b")
    del world.nodes[head]
    launcher.up()
    assert len(world.nodes) == 2 and head not in world.nodes


def test_what_does_not_start_leaves_nothing(world, launcher):
    world.failing.add(("a", "start"))
    with pytest.raises(ClusterError, match="a: it will not"):
        launcher.up()
    assert not world.nodes and list(launcher.records.folder.iterdir()) == []


def test_a_host_that_is_out_of_sight_is_kept_in_mind(world, launcher, said):
    launcher.up()
    world.failing |= {("a", "stop"), ("a", "look")}
    with pytest.raises(ClusterError, match="run the command again"):
        launcher.down()
    assert "cannot take down the node on a: it will not" in said
    assert [one.state for one in launcher.status()] == ["unknown: a: it will not"]
    world.failing.clear()
    launcher.down()
    assert not world.nodes


def test_a_host_that_is_gone_for_good_is_forgotten_once_the_file_drops_it(world, launcher, said):
    launcher.up()
    world.failing |= {("a", "stop"), ("a", "look")}
    with pytest.raises(ClusterError, match="take it out of the file and run the command again"):
        launcher.down()
    rest = replace(launcher, settings=SshSettings(kind="ssh", hosts=(Host(host="b"),)))
    rest.down()
    assert "a: it will not; it is no longer in the file, so it is forgotten" in said[-1]
    assert list(launcher.records.folder.iterdir()) == [] and list(world.nodes.values()) == ["a"]


def test_nobody_is_ended_because_a_host_is_out_of_sight(world, launcher):
    launcher.up()
    before = dict(world.nodes)
    for name in ("a", "b"):  # a worker, then the head
        world.failing = {(name, "look")}
        for act in (launcher.up, lambda: launcher.join(launcher.find_up(), "mine")):
            with pytest.raises(ClusterError, match=f"unknown: {name}: it will not\nnothing was"):
                act()
        assert world.nodes == before


def test_what_of_the_file_has_no_effect_yet_is_told(world, launcher, said):
    launcher.up()
    hosts = (SETTINGS.hosts[0], SETTINGS.hosts[1].model_copy(update={"cpus": 2}))
    changed = SETTINGS.model_copy(update={"hosts": hosts, "driver": "head"})
    replace(launcher, settings=changed).up()
    assert said[-1].startswith("hosts in ") and "until 'cluster down' and 'cluster up'" in said[-1]


def test_a_start_under_way_is_left_alone(world, launcher):
    launcher.up()
    up = launcher.find_up()
    parent = psutil.Process(os.getppid())
    launcher.records.write(replace(up, pid=parent.pid, began=parent.create_time()))
    for act in (launcher.up, launcher.down, launcher.find_up):
        with pytest.raises(ClusterError, match=f"brought up by process {parent.pid}: wait for it"):
            act()
    launcher.records.write(replace(up, pid=parent.pid, began=1.0))
    launcher.down()
    assert not world.nodes


def test_nodes_that_another_machine_has_started_go_when_that_is_said(world, launcher, said):
    record = launcher.bring_up("mine")
    launcher.records.write(replace(record, machine="login2 pid:[1]"))
    launcher.down()
    assert "was started on login2" in said[-1] and len(world.nodes) == 3
    launcher.down(everything=True)
    assert not world.nodes


def test_a_search_joins_what_is_up_with_a_node_without_slots(world, launcher):
    launcher.up()
    up = launcher.find_up()
    joined = launcher.join(up, "mine")
    assert [node.host for node in joined.nodes] == [None] and joined.address == up.address
    start = world.asked[-1][1]
    assert "--num-cpus=0" in start["arguments"] and "--num-gpus=0" in start["arguments"]
    assert "its search is over" not in " ".join(one.cluster for one in launcher.status())
    launcher.down()
    assert list(world.nodes.values()) == ["this machine"], "the search's own node ends with it"
    take_down(launcher.records, joined, launcher.tell)
    assert not world.nodes


def test_a_search_does_not_join_a_cluster_without_its_head(world, launcher):
    launcher.up()
    up = launcher.find_up()
    world.nodes = {folder: name for folder, name in world.nodes.items() if name == "a"}
    with pytest.raises(ClusterError, match="has ended: take the rest down with"):
        launcher.join(up, "mine")


def test_what_dead_searches_have_left_is_swept(world, launcher, said):
    record = launcher.bring_up("mine")
    assert len(world.nodes) == 3
    launcher.records.write(replace(record, began=1.0))
    assert all("its search is over" in one.cluster for one in launcher.status())
    launcher.up()
    assert "taking down what study 'mine' has left behind" in said
    assert sorted(world.nodes.values()) == ["a", "b"]


def test_a_record_of_another_machine_is_nobodys_to_sweep(launcher):
    node = StartedNode(0, "/tmp/x", "10.0.0.1")
    record = Record("k", "f", JSON, "mine", (node,), pid=1, began=1.0, machine="elsewhere")
    assert not record.is_orphaned
    assert replace(record, machine=Record("k", "f", JSON, "mine", ()).machine).is_orphaned
    assert not replace(record, study="").is_orphaned
    assert Record("k", "f", JSON, "mine", (node,)).is_orphaned is False


def test_a_detached_driver_keeps_its_nodes_until_it_is_over(world, launcher, said, tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("x = 1")
    command = Command(("-m", "x", "{address}"), (tmp_path / "pack",), {"s.toml": "a = 1"}, {})
    record = run_on_head(launcher, "mine", command)
    assert sorted(world.nodes.values()) == ["a", "b"] and record.detached
    name, request = world.asked[-1]
    assert name == "b" and request["arguments"] == ["-m", "x", "10.0.0.2:7"] and request["code"]
    sweep(launcher.records, launcher.file, launcher.tell)
    assert len(world.nodes) == 2
    world.drivers.clear()
    assert {one.cluster for one in launcher.status()} == {"mine (its search is over)"}
    sweep(launcher.records, launcher.file, launcher.tell)
    assert not world.nodes
    world.failing.add(("b", "launch"))
    with pytest.raises(ClusterError, match="it will not"):
        run_on_head(launcher, "mine", command)
    assert not world.nodes


def test_a_detached_driver_takes_the_head_of_what_is_up(world, launcher):
    launcher.up()
    up, nodes = launcher.find_up(), dict(world.nodes)
    record = run_on_head(launcher, "mine", Command(("-m", "x", "{address}"), (), {}, {"A": "1"}))
    name, request = world.asked[-1]
    assert name == "b" and request["arguments"] == ["-m", "x", up.address]
    assert request["token"] == launcher.token_of(up) and request["folder"] not in nodes
    assert request["environment"] == {"no_grpc_proxy": "10.0.0.2", "A": "1"}
    assert world.nodes == nodes and record.nodes[0].folder == request["folder"]
    assert take_down(launcher.records, record, launcher.tell) and world.nodes == nodes
    del world.nodes[next(folder for folder, name in nodes.items() if name == "a")]
    with pytest.raises(ClusterError, match="a of the cluster is down: 'seqtune cluster"):
        run_on_head(launcher, "mine", Command((), (), {}, {}))


def test_a_driver_is_followed_to_its_end(monkeypatch):
    from contextlib import contextmanager

    answers: list[dict[str, Any]] = [{"said": "one"}, {"said": "two"}, {"exit": 3}]

    @contextmanager
    def asking(remote: Remote, request: dict[str, Any], seconds: float | None = None):
        yield iter(answers)

    monkeypatch.setattr(Remote, "asking", asking)
    record = Record("k", "f", JSON, "mine", (StartedNode(1, "/tmp/x", "10.0.0.2"),))
    heard: list[str] = []
    assert follow(record, heard.append) == 3 and heard == ["one", "two"]
    answers[-1:] = []
    with pytest.raises(ClusterError, match="said no more"):
        follow(record, heard.append)


def test_commands_are_whole_and_name_what_is_not_known_yet():
    first, second = start_commands(SETTINGS)
    assert first.startswith("ssh -o BatchMode=yes") and "a 'bash -l -s' <<<" in first
    assert "--num-cpus=<cores>" in first and "<the head" in first
    assert "--head" in second and "--num-cpus=3" in second


def test_all_that_is_wrong_is_told():
    def act(number: int) -> int:
        if number:
            raise ClusterError(f"{number} is wrong")
        return number

    assert in_parallel(act, [0, 0]) == [0, 0] and in_parallel(act, []) == []
    with pytest.raises(ClusterError, match="1 is wrong\n2 is wrong"):
        in_parallel(act, [0, 1, 2])


def test_a_kind_says_what_it_is(tmp_path):
    kind = Ssh(SETTINGS, tmp_path / "c.toml")
    assert str(kind) == "2 hosts of c.toml" and not kind.drives_itself
    assert len(kind.commands()) == 2
    assert Ssh(SETTINGS.model_copy(update={"driver": "head"}), Path("c")).drives_itself
