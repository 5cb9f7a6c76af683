"""How a process is set up to compute."""

import pytest
import torch

from trainables.core import device


@pytest.mark.parametrize("keep", [True, False])
def test_freed_memory_is_kept_only_when_told(monkeypatch, keep):
    kept = []
    monkeypatch.setattr(device, "keep_freed_memory", lambda: kept.append(True))
    threads = torch.get_num_threads()
    try:
        assert device.prepare_device("cpu", 1, keep).type == "cpu"
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)
    assert kept == [True] * keep


def test_a_gpu_holds_what_is_small_beside_its_free_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1600, 9999))
    gpu = torch.device("cuda")
    assert device.fits_on_gpu(100, gpu) and not device.fits_on_gpu(101, gpu)
    assert not device.fits_on_gpu(1, torch.device("cpu"))
