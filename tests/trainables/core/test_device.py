"""How a process is set up to compute."""

from typing import Any

import pytest
import torch

from tests.builders import make_trainer
from trainables.core import device
from trainables.core.memory import ON_GPU
from trainables.core.randomness import random_state, restore_random_state
from trainables.errors import DeviceError

GIB = 1 << 30


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


def test_on_a_gpu_float32_means_tf32_and_a_former_trials_memory_is_freed(monkeypatch):
    done = []
    monkeypatch.setattr(device, "keep_freed_memory", lambda: done.append("kept"))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: done.append("freed"))
    threads = torch.get_num_threads()
    backends: list[Any] = [torch.backends.cuda.matmul, torch.backends.cudnn]
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend in backends:
            backend.allow_tf32 = False
        assert device.prepare_device("cuda", 1).type == "cuda"
        assert all(backend.allow_tf32 for backend in backends)
    finally:
        torch.set_num_threads(threads)
        for backend, allowed in zip(backends, before, strict=True):
            backend.allow_tf32 = allowed
    assert done == ["freed"]


@pytest.fixture
def gpu(monkeypatch):
    """A GPU of 80 GiB, with half of it free; returns what was set.

    As torch does, it refuses to tell the limit of a device without an index.
    """
    limits: list[float] = []

    def limit_of(device: torch.device | None = None) -> float:
        if device is not None and device.index is None:
            raise ValueError(f"Expected a torch.device with a specified index, but got: {device}")
        return limits[-1]

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *given: (40 * GIB, 80 * GIB))
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", limit_of)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", limits.append)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda *given: 0)
    return limits


@pytest.mark.parametrize("share", [1 / 16, 0.25, 1.0])
def test_all_processes_of_a_gpu_fit_on_it_with_their_contexts(gpu, share):
    device.limit_gpu_memory(share)
    (limit,) = gpu
    assert limit * 80 * GIB + device.CONTEXT_BYTES == pytest.approx(share * 80 * GIB)


def test_a_share_that_holds_no_context_is_refused(gpu):
    with pytest.raises(DeviceError, match=r"gpus_per_trial = 0\.005: .* 768 MiB .* 81920 MiB"):
        device.limit_gpu_memory(0.005)
    assert gpu == []


@pytest.mark.parametrize(
    ("limit", "allocated", "most"), [(1.0, 0, 40 / 16), (0.25, 0, 20 / 16), (0.25, 12, 8 / 16)]
)
def test_a_gpu_holds_what_is_small_beside_what_is_left(gpu, monkeypatch, limit, allocated, most):
    gpu.append(limit)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: allocated * GIB)
    where = torch.device("cuda")
    assert device.fits_on_gpu(int(most * GIB), where)
    assert not device.fits_on_gpu(int(most * GIB) + 1, where)
    assert not device.fits_on_gpu(1, torch.device("cpu"))


def test_micro_batches_do_not_depend_on_the_gpus_memory(monkeypatch):
    """Or a resumed trial would add up its gradients in another order."""

    def asked(*_):
        raise AssertionError("the GPU was asked for its memory")

    monkeypatch.setattr(torch.cuda, "mem_get_info", asked)
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", asked)
    small, large = (
        make_trainer(device=torch.device("meta"), hidden_size=size).micro_batch_steps
        for size in (8, 512)
    )
    assert small == ON_GPU.steps and 0 < large < small


def test_only_the_trials_own_gpu_is_stored_and_restored(monkeypatch):
    states = {"cuda": torch.tensor([7], dtype=torch.uint8)}
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: states[device.type])
    monkeypatch.setattr(
        torch.cuda, "set_rng_state", lambda state, device: states.update({device.type: state})
    )
    on_gpu, on_cpu = torch.device("cuda"), torch.device("cpu")
    stored = random_state(on_gpu)
    assert [name for name in stored[0] if "cuda" in name] == ["rng.cuda"]
    assert not [name for name in random_state(on_cpu)[0] if "cuda" in name]
    states["cuda"] = torch.tensor([8], dtype=torch.uint8)
    restore_random_state(*stored, on_cpu)
    assert states["cuda"].item() == 8, "a trial that goes on on a CPU leaves the GPU alone"
    restore_random_state(*stored, on_gpu)
    assert states["cuda"].item() == 7
    restore_random_state(*random_state(on_cpu), on_gpu)  # begun on a CPU
    assert states["cuda"].item() == 7
