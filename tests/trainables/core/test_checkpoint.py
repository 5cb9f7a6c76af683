import errno
import os

import pytest
import torch

from trainables import storage as durable
from trainables.core.checkpoint import read_checkpoint, write_checkpoint


def test_round_trip(tmp_path):
    tensors = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor(3, dtype=torch.uint8)}
    digest = write_checkpoint(tmp_path / "deep" / "x", tensors, {"epoch": 2, "list": [1, "ü"]})
    read, state = read_checkpoint(tmp_path / "deep" / "x", digest)
    assert state == {"epoch": 2, "list": [1, "ü"]}
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())


def test_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x"
    digest = write_checkpoint(path, {"a": torch.ones(3)}, {"epoch": 1})

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_checkpoint(path, {"a": torch.zeros(3)}, {"epoch": 2})
    monkeypatch.undo()
    assert read_checkpoint(path, digest)[1] == {"epoch": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_replaced_files_are_whole_and_as_private_as_asked(tmp_path):
    durable.replace_file(tmp_path / "x", b"one")
    durable.replace_file(tmp_path / "x", b"two", mode=0o600)
    assert (tmp_path / "x").read_bytes() == b"two"
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600
    assert len(list(tmp_path.iterdir())) == 1
