"""The device that a trial computes on, its threads and its memory."""

import torch

from trainables.core.allocator import keep_freed_memory
from trainables.core.memory import ACTIVATION_BYTES
from trainables.errors import DeviceError

#: Share of a process's GPU memory for activations, as ``activation_bytes_per_step`` counts them.
#: Gradients and workspaces come on top.
_SHARE_OF_ACTIVATIONS = 1 / 8

#: Read-only data is copied to a GPU if it takes at most this share of the GPU's free memory.
_SHARE_OF_FREE_MEMORY = 1 / 16


def prepare_device(name: str, threads: int, keep_memory: bool = True) -> torch.device:
    """Set this process up to compute on ``cpu`` or ``cuda`` with ``threads`` CPU threads.

    With ``keep_memory``, the C library keeps memory that a training step on a CPU frees.
    """
    device = torch.device(name)
    torch.set_num_threads(max(1, threads))
    if device.type == "cpu" and keep_memory:
        keep_freed_memory()
    elif device.type == "cuda":
        # On a GPU float32 means TF32 (see precision.py).
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        # A worker is reused: free its last trial's memory for the other processes on the GPU.
        torch.cuda.empty_cache()
    return device


def limit_gpu_memory(share: float) -> None:
    """Limit this process to a share of its GPU's memory.

    A trial that needs more then runs out of memory. Other trials on the same GPU do not.
    """
    torch.cuda.set_per_process_memory_fraction(share)


def activation_bytes(device: torch.device) -> int:
    """Return the bytes of activations that a forward pass may keep for the backward pass.

    A GPU needs many texts at a time to be busy, and has the memory for them. On a CPU more texts
    would only outgrow the processor's cache.
    """
    if device.type == "cpu":
        return ACTIVATION_BYTES
    _, total = torch.cuda.mem_get_info(device)
    share = torch.cuda.get_per_process_memory_fraction()  # of the current GPU, the trial's own
    return int(total * share * _SHARE_OF_ACTIVATIONS)


def check_gpu() -> None:
    """Check that torch can compute on a GPU here.

    Raises:
        DeviceError: torch sees no GPU, or was built without CUDA.
    """
    if not torch.cuda.is_available():
        raise DeviceError(
            f"resources.gpus_per_trial: torch {torch.__version__} sees no GPU on this machine"
        )


def fits_on_gpu(size: int, device: torch.device) -> bool:
    """Whether a device should hold a copy of ``size`` bytes; never a CPU, which maps files."""
    if device.type == "cpu":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return size <= free * _SHARE_OF_FREE_MEMORY
