"""Files that several write at once, and folders that several read."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.builders import make_assignment
from trainables.storage import Cache, new_folder, replace_file


def test_many_writers_of_one_file_never_fail_and_never_mix(tmp_path):
    path, contents = tmp_path / "report.md", [bytes([65 + i]) * 20_000 for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            list(pool.map(lambda content: replace_file(path, content), contents))
            assert path.read_bytes() in contents
    assert [found.name for found in tmp_path.iterdir()] == ["report.md"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o755), (0o002, 0o775), (0o077, 0o700)])
def test_who_may_read_a_new_folder_the_umask_says(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        folder = new_folder(tmp_path / "corpora", "building-")
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == mode


def test_a_worker_of_another_user_passes_over_a_closed_cache(tmp_path, monkeypatch):
    """The driver's folder is there and closed; the parcel is unpacked in the worker's own cache."""
    from trainables import trial as module

    closed = Cache(tmp_path / "drivers").corpus("k")
    closed.mkdir(parents=True)
    monkeypatch.setenv("SEQTUNE_CACHE", str(tmp_path / "workers"))
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).exists() and path != closed)
    monkeypatch.setattr("ray.get", lambda reference: reference)
    worker = module.RecurrentTrial.__new__(module.RecurrentTrial)
    worker._assignment = make_assignment(closed, tmp_path)
    worker._parcel = ()
    with pytest.raises(FileNotFoundError, match="none was sent"):
        worker._data()
    worker._parcel = [{"corpus.json": np.frombuffer(b"{}", np.uint8)}]
    assert worker._data() == Cache(tmp_path / "workers").sent("k")
    assert (worker._data() / "corpus.json").read_bytes() == b"{}"
