"""Detection of the numerics of a result: device, precision, threads, processor and kernel."""

import os
import platform

import torch

from trainables.attempts.messages import Numerics
from trainables.kernels.recurrence import has_native_kernel


def describe_numerics(device: torch.device, precision: str, native: bool = True) -> Numerics:
    """Describe the numerics of a model on this machine.

    ``native`` says whether ``trainables.kernels`` can compute the model's recurrence.
    """
    compiled = has_native_kernel(device, getattr(torch, precision))
    return Numerics(
        device=str(device) if device.type == "cpu" else torch.cuda.get_device_name(device),
        precision=precision,
        threads=torch.get_num_threads(),
        processor=_processor(),
        recurrence=("native" if compiled else "torch") if native else "own",
    )


def _processor() -> str:
    """Return the processor's model.

    On Linux it has a name on x86, and the numbers of its maker and part on ARM. Elsewhere
    ``platform`` has to do, which knows the architecture but may not know the model.
    """
    known: dict[str, str] = {}
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            pairs = [line.split(":", 1) for line in file if ":" in line]
        known = {name.strip(): value.strip() for name, value in reversed(pairs)}
    if "model name" in known:
        return known["model name"]
    part = [known[name] for name in ("CPU implementer", "CPU part") if name in known]
    return " ".join([platform.machine(), *part]) if part else _named_by_platform()


def _named_by_platform() -> str:
    return platform.processor() or platform.machine()
