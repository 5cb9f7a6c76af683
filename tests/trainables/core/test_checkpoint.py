import errno
import os

import pytest
import torch

from trainables import storage as durable
from trainables.core.checkpoint import Snapshot, read_checkpoint, write_checkpoint


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


class OnGpu(torch.Tensor):
    """A tensor that says that it is on a GPU."""

    is_cuda = True


@pytest.fixture
def gpu(monkeypatch):
    """What a snapshot asks of CUDA, in order; memory to copy to is not pinned here."""
    asked: list[str] = []
    empty, copy = torch.empty, torch.Tensor.copy_

    class Event:
        def record(self):
            asked.append("record")

        def synchronize(self):
            asked.append("synchronize")

    def allocated(*given, pin_memory, **more):
        asked.append("pinned" if pin_memory else "pageable")
        return empty(*given, **more)

    def copied(self, other, non_blocking=False):
        asked.append("copy behind" if non_blocking else "copy")
        return copy(self, other.as_subclass(torch.Tensor))

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch, "empty", allocated)
    monkeypatch.setattr(torch.Tensor, "copy_", copied)
    return asked


def test_a_snapshot_is_of_its_moment(tmp_path, gpu):
    """Training goes on while it is written; what is on the CPU, such as counts, goes on as well."""
    weight, count = torch.ones(3).as_subclass(OnGpu), torch.tensor(4.0)
    snapshot = Snapshot.of({"weight": weight, "count": count}, {"epoch": 1})
    assert gpu == ["pinned", "copy behind", "record"]
    weight.zero_()
    count += 1
    snapshot.write(tmp_path / "x")
    assert gpu[3:] == ["synchronize"]
    tensors, state = read_checkpoint(tmp_path / "x")
    assert tensors["weight"].tolist() == [1.0] * 3 and tensors["count"].item() == 4.0
    assert state == {"epoch": 1}


def test_a_snapshot_on_a_cpu_copies_nothing(gpu):
    weight = torch.ones(3)
    snapshot = Snapshot.of({"weight": weight}, {})
    assert snapshot.tensors["weight"].data_ptr() == weight.data_ptr()
    assert snapshot.copied is None and gpu == []
