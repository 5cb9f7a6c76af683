"""The numbers a model computes with: float32, bfloat16 or float16.

Weights, gradients, the optimiser, the head, losses and metrics are float32 in any case. Half
precision is for the products of the recurrence.

A CPU takes bfloat16 (Kalamkar et al. 2019), whose range is float32's, where it has AVX-512's
instructions for it and a C++ compiler. Elsewhere torch's own layers could compute in it, but would
gain little: they multiply every token's embedding, and oneDNN never frees the code that it compiles
for each length of text.

A GPU takes float16, because torch's autocast gives cuDNN's recurrent layers nothing else. Its range
is small, so the loss is scaled (Micikevicius et al. 2018). On a GPU float32 means TF32.
"""

from contextlib import AbstractContextManager

import torch

from trainables.kernels.recurrence import has_native_kernel


def computing_in(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which forward passes compute in ``precision``."""
    kind, half = getattr(torch, precision), precision != "float32"
    return torch.autocast(device.type, kind if half else None, enabled=half)


def in_float32(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which a part of such a forward pass computes in float32."""
    return torch.autocast(device.type, enabled=False)


def loss_scaler(precision: str, device: torch.device) -> torch.amp.GradScaler:
    """Build a scaler that keeps small gradients in float16's range; it is off in other precisions.

    A step whose gradients overflow that range is skipped.
    """
    return torch.amp.GradScaler(device.type, enabled=precision == "float16")


def precisions(device: torch.device, native: bool = True) -> tuple[str, ...]:
    """Return the precisions that a model may compute in on a device.

    ``native`` says whether ``trainables.kernels`` can compute the model's recurrence. On a CPU
    nothing else computes in bfloat16.
    """
    if device.type == "cuda":
        return ("float32", "float16")
    half = native and has_native_kernel(device, torch.bfloat16)
    return ("float32", "bfloat16") if half else ("float32",)
