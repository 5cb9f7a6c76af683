"""The numbers a model computes with: float32 or bfloat16.

Weights, gradients, the optimiser, losses and metrics are float32 either way; bfloat16 is for what a
forward pass multiplies (Kalamkar et al. 2019), and needs no scaling of the loss, for its range is
float32's.
"""

from contextlib import AbstractContextManager

import torch


def computing_in(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Within this, a forward pass computes in ``precision``: ``float32`` or ``bfloat16``."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 itself."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
