"""The device that a trial computes on, its threads and its memory."""

import torch

from trainables.core.allocator import keep_freed_memory
from trainables.errors import DeviceError

#: GPU memory that a process takes beside its tensors: CUDA's context, the libraries' code and
#: workspaces. torch's allocator does not count it. An estimate; ``tests/gpu/check.py`` measures it.
CONTEXT_BYTES = 768 << 20

#: Read-only data is copied to a GPU if it takes at most this share of what is left there.
_SHARE_OF_MEMORY_LEFT = 1 / 16


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
    """Limit this process to a share of its GPU's memory, the CUDA context included.

    A trial that needs more then runs out of memory. Other trials on the same GPU do not.

    Raises:
        DeviceError: the context alone takes the share.
    """
    _, total = torch.cuda.mem_get_info()
    for_tensors = share - CONTEXT_BYTES / total
    if for_tensors <= 0:
        raise DeviceError(
            f"resources.gpus_per_trial = {share:g}: a process takes {CONTEXT_BYTES >> 20} MiB of "
            f"this GPU's {total >> 20} MiB before it trains; give each trial more"
        )
    torch.cuda.set_per_process_memory_fraction(min(1.0, for_tensors))


def has_gpu() -> bool:
    """Whether torch can compute on a GPU here."""
    return torch.cuda.is_available()


def check_gpu() -> None:
    """Check that torch can compute on a GPU here.

    Raises:
        DeviceError: torch sees no GPU, or was built without CUDA.
    """
    if not has_gpu():
        raise DeviceError(
            f"resources.gpus_per_trial: torch {torch.__version__} sees no GPU on this machine"
        )


def fits_on_gpu(size: int, device: torch.device) -> bool:
    """Whether a device should hold a copy of ``size`` bytes; never a CPU, which maps files."""
    if device.type != "cuda":
        return False
    free, total = torch.cuda.mem_get_info(device)
    # Of the current device, as it is set above: torch takes no device without an index here.
    allowed = int(total * torch.cuda.get_per_process_memory_fraction())
    left = min(free, allowed - torch.cuda.memory_allocated(device))
    return size <= left * _SHARE_OF_MEMORY_LEFT
