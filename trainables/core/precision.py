"""The numbers a model computes with: float32 or bfloat16 (Kalamkar et al. 2019).

Weights, gradients, the optimiser, the head, losses and metrics are float32 in any case. bfloat16 is
for the products of the recurrence. Its range is float32's, so the loss needs no scale.

A CPU takes it where it has AVX-512's instructions for it and a C++ compiler. Elsewhere torch's own
layers could compute in it, but would gain little: they multiply every token's embedding, and oneDNN
never frees the code that it compiles for each length of text.

A GPU takes it from Ampere on, with a cuDNN whose recurrent layers accept it (pytorch#164411). On a
GPU float32 means TF32.
"""

from contextlib import AbstractContextManager

import torch

from trainables.kernels.recurrence import has_native_kernel

#: cuDNN 9.13, the first whose recurrent layers take bfloat16.
_CUDNN_WITH_HALF = 91300


def computing_in(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which forward passes compute in ``precision``."""
    kind, half = getattr(torch, precision), precision != "float32"
    return torch.autocast(device.type, kind if half else None, enabled=half)


def in_float32(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which a part of such a forward pass computes in float32."""
    return torch.autocast(device.type, enabled=False)


def precisions(device: torch.device, native: bool = True) -> tuple[str, ...]:
    """Return the precisions that a model may compute in on a device.

    ``native`` says whether ``trainables.kernels`` can compute the model's recurrence. On a CPU
    nothing else computes in bfloat16.
    """
    if device.type == "cuda":
        half = torch.cuda.is_bf16_supported(including_emulation=False) and _cudnn_recurs_in_half()
        return ("float32", "bfloat16") if half else ("float32",)
    half = native and has_native_kernel(device, torch.bfloat16)
    return ("float32", "bfloat16") if half else ("float32",)


def _cudnn_recurs_in_half() -> bool:
    version: int | None = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return (version or 0) >= _CUDNN_WITH_HALF
