"""Each check, and the fault that makes it speak."""

from dataclasses import replace

import pytest

from cluster.checks.facts import Facts, StorageFacts, code_digest, gather
from cluster.checks.findings import Declared, judge, speed
from cluster.checks.packages import foreign_packages, misplaced

_GIB = 1 << 30
STORAGE = StorageFacts("", 0.1, "shared", 100 * _GIB, 1_000_000)
FACTS = Facts(
    host="a",
    python="3.11.7",
    versions={"ray": "2.60.0", "torch": "2.13.0", "numpy": "2.1"},
    code={"trainables": "abc"},
    cores=8,
    memory=32 * _GIB,
    free_memory=30 * _GIB,
    gpus=1,
    open_files=65536,
    threads=300,
    max_threads=None,
    shared_memory=_GIB,
    proxies=(),
    clock=1000.0,
    storage=STORAGE,
)
DECLARED = Declared(8, 1, 20 * _GIB)


def test_a_good_node_is_nothing_to_speak_of():
    assert judge(FACTS, FACTS, DECLARED) == []


FAULTS = {
    "python": (replace(FACTS, python="3.12.1"), "it runs Python 3.12.1, the driver 3.11.7"),
    "ray": (replace(FACTS, versions=FACTS.versions | {"ray": "2.59.0"}), "has ray 2.59.0"),
    "torch": (replace(FACTS, versions=FACTS.versions | {"torch": ""}), "has torch not"),
    "code": (replace(FACTS, code={"trainables": "old"}), "its code of 'trainables'"),
    "gpus": (replace(FACTS, gpus=0), "1 GPUs are declared, it has 0"),
    "memory": (replace(FACTS, memory=8 * _GIB), "20.0 GiB of memory are declared"),
    "files": (replace(FACTS, open_files=256), "ulimit -n"),
    "threads": (replace(FACTS, max_threads=700), "300 of 700 threads are in use"),
    "unshared": (replace(FACTS, storage=StorageFacts(error="it does not see")), "all nodes share"),
    "disk": (replace(FACTS, storage=replace(STORAGE, free_bytes=1 << 20)), "1 MiB and 1000000"),
    "inodes": (replace(FACTS, storage=replace(STORAGE, free_inodes=3)), "3 files free"),
}
NOTES = {
    "cores": (replace(FACTS, cores=2), "8 cores are declared, its processes may use 2"),
    "few files": (replace(FACTS, open_files=2048), "2048 open files"),
    "shm": (replace(FACTS, shared_memory=1 << 20), "/dev/shm has 1 MiB free"),
    "ahead": (replace(FACTS, clock=4600.0), "3600 s ahead of the driver's"),
    "behind": (replace(FACTS, clock=900.0), "100 s behind the driver's"),
    "proxy": (replace(FACTS, proxies=("http_proxy",)), "http_proxy is set"),
    "slow": (replace(FACTS, storage=replace(STORAGE, seconds=3.0)), "seen there after 3.0 s"),
    "scarce": (replace(FACTS, storage=replace(STORAGE, free_bytes=_GIB)), "1.0 GiB free"),
    "own locks": (replace(FACTS, storage=replace(STORAGE, locks="own")), "do not reach it"),
    "no locks": (replace(FACTS, storage=replace(STORAGE, locks="absent")), "do not reach it"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_ends_the_search(name):
    facts, said = FAULTS[name]
    found = judge(facts, FACTS, DECLARED)
    assert [one.is_fault for one in found] == [True] and said in found[0].text


@pytest.mark.parametrize("name", NOTES)
def test_a_note_is_only_said(name):
    facts, said = NOTES[name]
    found = judge(facts, FACTS, DECLARED)
    assert [one.is_fault for one in found] == [False] and said in found[0].text


def test_a_slow_way():
    assert not list(speed(20_000_000, 0.5))
    assert "20 MB take 40.0 s" in next(speed(20_000_000, 40.0)).text


def test_a_machine_finds_itself_out():
    facts = gather(("trainables",), None)
    assert facts.cores > 0 and facts.memory > 0 and facts.threads > 0 and facts.open_files > 0
    assert facts.code == {"trainables": code_digest("trainables")} and facts.versions["ray"]
    assert code_digest("no_such_package") == ""


def test_our_packages_are_ours():
    assert foreign_packages(("search", "trainables", "cluster")) == []


def test_another_package_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "strange_cluster").mkdir()
    (tmp_path / "strange_cluster" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert "is found in" in misplaced(("strange_cluster",))[0]
    (tmp_path / "strange_cluster" / "__init__.py").unlink()
    import importlib

    importlib.invalidate_caches()
    assert "has lost its first file" in misplaced(("strange_cluster",))[0]
    owners = {"cluster": ["seqtune", "cluster"]}
    monkeypatch.setattr("importlib.metadata.packages_distributions", lambda: owners)
    assert "pip uninstall cluster" in foreign_packages(("cluster",))[0]
