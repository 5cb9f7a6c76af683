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
    # Linux only. Elsewhere ``platform`` has to do, which knows the architecture but may not know
    # the model.
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
