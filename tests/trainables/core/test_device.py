"""How a process is set up to compute."""

import pytest
import torch

from trainables.core import device
from trainables.core.memory import ACTIVATION_BYTES


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


def test_activations_get_their_part_of_a_processs_share_of_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1, 80 << 30))
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda: 0.25)
    assert device.activation_bytes(torch.device("cuda")) == 80 << 30 >> 5
    assert device.activation_bytes(torch.device("cpu")) == ACTIVATION_BYTES
