"""The numbers a model computes with: float32, bfloat16 or float16.

Weights, gradients, the optimiser, the head, losses and metrics are float32 in any case; half the
bits are for what the recurrence multiplies. A CPU with instructions for it takes bfloat16
(Kalamkar et al. 2019), whose range is float32's. A GPU takes float16, for torch's autocast hands
cuDNN's recurrent layers nothing else; its range is small, so the loss is scaled (Micikevicius et
al. 2018). There float32 means TF32.
"""

from contextlib import AbstractContextManager

import torch

#: What processors call their instructions for bfloat16: Intel's and AMD's, AMX, ARM's.
_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")


def computing_in(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Within this, a forward pass computes in ``precision``."""
    kind, half = getattr(torch, precision), precision != "float32"
    return torch.autocast(device.type, kind if half else None, enabled=half)


def in_float32(device: torch.device) -> AbstractContextManager[object]:
    """Within this, the same pass computes in float32 after all."""
    return torch.autocast(device.type, enabled=False)


def loss_scaler(precision: str, device: torch.device) -> torch.amp.GradScaler:
    """Keeps small gradients in float16's range, and leaves out a step whose gradients have left it;
    does nothing in other precisions."""
    return torch.amp.GradScaler(device.type, enabled=precision == "float16")


def precisions(device: torch.device) -> tuple[str, ...]:
    """What a model may compute in there."""
    if device.type == "cuda":
        return ("float32", "float16")
    capabilities = torch.cpu.get_capabilities()
    half = any(capabilities.get(name, False) for name in _INSTRUCTIONS)
    return ("float32", "bfloat16") if half else ("float32",)
