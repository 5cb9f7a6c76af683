"""Where and with how many threads a trial computes."""

import os
import platform
from dataclasses import dataclass

import torch

from trainables.core.allocator import keep_freed_memory
from trainables.core.memory import ACTIVATION_BYTES
from trainables.errors import DeviceError
from trainables.kernels.recurrence import has_native_kernel

#: Of what a process may take of a GPU's memory, the share that activations may, as they are
#: counted; gradients and workspaces come on top.
_SHARE_OF_ACTIVATIONS = 1 / 8

#: What all trials only read moves to a GPU when it takes at most this share of what is free there.
_SHARE_OF_FREE_MEMORY = 1 / 16


@dataclass(frozen=True)
class Numerics:
    """All that a repetition must share to be bit for bit the same; ``recurrence`` is ``own`` or
    ``torch``."""

    device: str
    precision: str
    threads: int
    processor: str
    recurrence: str


def prepare_device(name: str, threads: int, keep_memory: bool = True) -> torch.device:
    """Sets this process up to compute on ``cpu`` or ``cuda`` with ``threads`` CPU threads; on a CPU
    it keeps the memory that a training step frees, if told to."""
    device = torch.device(name)
    torch.set_num_threads(max(1, threads))
    if device.type == "cpu" and keep_memory:
        keep_freed_memory()
    elif device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        torch.cuda.empty_cache()  # what this worker's trial before has held is its neighbours'
    return device


def limit_gpu_memory(share: float) -> None:
    """Lets this process take at most that share of its GPU's memory: a trial that needs more runs
    out of memory itself, and not one of its neighbours on the same GPU."""
    torch.cuda.set_per_process_memory_fraction(share)


def activation_bytes(device: torch.device) -> int:
    """What a forward pass may keep there for the backward pass. A GPU needs many texts at a time to
    be busy, and has its own memory for them; on a CPU more would only leave the cache."""
    if device.type == "cpu":
        return ACTIVATION_BYTES
    _, total = torch.cuda.mem_get_info(device)
    share = torch.cuda.get_per_process_memory_fraction()  # of the current one, which is ours
    return int(total * share * _SHARE_OF_ACTIVATIONS)


def check_gpu() -> None:
    """Makes sure that torch computes on a GPU here.

    Raises:
        DeviceError: it has none, or was built without CUDA.
    """
    if not torch.cuda.is_available():
        raise DeviceError(
            f"resources.gpus_per_trial: torch {torch.__version__} sees no GPU on this machine"
        )


def fits_on_gpu(size: int, device: torch.device) -> bool:
    """Whether so many bytes may lie in the memory of ``device``; never if that is a CPU, where
    files are mapped."""
    if device.type == "cpu":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return size <= free * _SHARE_OF_FREE_MEMORY


def describe_numerics(device: torch.device, precision: str) -> Numerics:
    """What a result computed here depends on."""
    return Numerics(
        device=str(device) if device.type == "cpu" else torch.cuda.get_device_name(device),
        precision=precision,
        threads=torch.get_num_threads(),
        processor=_processor(),
        recurrence="native" if has_native_kernel(device, getattr(torch, precision)) else "torch",
    )


def _processor() -> str:
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
