"""How calls are timed on a device, and errors are compared."""

import statistics
import time
from collections.abc import Callable, Iterable

import torch
from torch import Tensor


def synchronise(device: str) -> None:
    """Wait until the device has done all that it was told."""
    if device == "cuda":
        torch.cuda.synchronize()


def seconds_of(call: Callable[[], object], device: str, repeats: int = 1) -> float:
    """Return the seconds of a call, device included: the least of ``repeats``."""
    return min(_once(call, device, waits=True) for _ in range(repeats))


def seconds_to_give_out(call: Callable[[], object], device: str, repeats: int = 1) -> float:
    """Return the seconds until a call returns, whatever the idle device has still to do."""
    return min(_once(call, device, waits=False) for _ in range(repeats))


def _once(call: Callable[[], object], device: str, waits: bool) -> float:
    synchronise(device)
    started = time.perf_counter()
    call()
    if waits:
        synchronise(device)
    return time.perf_counter() - started


def median_seconds(call: Callable[[], object], device: str, repeats: int = 10) -> float:
    """Return the median of a call's seconds by the device's own clock; by the host's on a CPU."""
    if device != "cuda":
        return statistics.median(_once(call, device, waits=True) for _ in range(repeats))
    taken = []
    for _ in range(repeats):
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        before.record()
        call()
        after.record()
        after.synchronize()
        taken.append(before.elapsed_time(after) / 1e3)
    return statistics.median(taken)


def warm_up(device: str, seconds: float = 0.5) -> None:
    """Multiply matrices until the clocks of an idle GPU have risen; nothing on a CPU."""
    if device != "cuda":
        return
    square = torch.randn(4096, 4096, device=device)
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        torch.mm(square, square)
        synchronise(device)


def largest(errors: Iterable[Tensor]) -> float:
    """Return the largest of errors to two digits; NaN if one is, for which Python's max has no eye.

    Each is a tensor of one number.
    """
    worst = torch.stack([error.detach().double().cpu() for error in errors]).max()
    return float(f"{worst.item():.2g}")
