"""What torch's profiler sees of some training steps."""

from collections.abc import Callable, Iterable
from typing import Any

from torch.profiler import ProfilerActivity, profile

from tests.gpu.record import Figures


def profile_of(call: Callable[[], object], steps: int, device: str) -> Figures:
    """Return the device's milliseconds, kernels and launches by step of a call of so many steps.

    On a CPU all three are 0.
    """
    activities = [ProfilerActivity.CPU]
    activities += [ProfilerActivity.CUDA] if device == "cuda" else []
    with profile(activities=activities) as seen:
        call()
    return figures_of(seen.key_averages(), steps)


def figures_of(averages: Iterable[Any], steps: int) -> Figures:
    """Return the same of a profile's events, those of one name together."""
    events = list(averages)
    # An operation of the host has the time of its kernels too, which would count them twice.
    on_device = [e for e in events if e.device_type.name == "CUDA" and not e.is_user_annotation]
    kernels = [e.count for e in on_device if not e.key.startswith(("Memcpy", "Memset"))]
    # Such as cudaLaunchKernel, cuLaunchKernelEx and cudaLaunchCooperativeKernel.
    launches = [e.count for e in events if "Launch" in e.key and "Kernel" in e.key]
    microseconds = sum(e.self_device_time_total for e in on_device)
    return {
        "device_ms_per_step": round(microseconds / 1e3 / steps, 3),
        "kernels_per_step": round(sum(kernels) / steps),
        "launches_per_step": round(sum(launches) / steps),
    }
