"""The numbers a model computes with: float32 or bfloat16.

Weights, gradients, the optimiser, the head, losses and metrics are float32 either way; bfloat16 is
for what the recurrence multiplies (Kalamkar et al. 2019), and needs no scaling of the loss, for its
range is float32's. On a GPU float32 means TF32, and bfloat16 is refused: torch's autocast hands
cuDNN's recurrent layers float16 instead, whose range is not.
"""

from contextlib import AbstractContextManager

import torch

#: What processors call their instructions for it: Intel's and AMD's, AMX, ARM's.
_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")


def computing_in(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Within this, a forward pass computes in ``precision``: ``float32`` or ``bfloat16``."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def in_float32(device: torch.device) -> AbstractContextManager[object]:
    """Within this, the same pass computes in float32 after all."""
    return torch.autocast(device.type, enabled=False)


def has_bfloat16(device: torch.device) -> bool:
    """Whether a model may compute in bfloat16 there."""
    capabilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return any(capabilities.get(name, False) for name in _INSTRUCTIONS)
