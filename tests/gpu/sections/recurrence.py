"""One recurrent layer: microseconds a step, and whether its gradients are right.

Shapes: B texts, T tokens, E features, H units.
"""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from tests.gpu.setting import Figures, Setting, seconds_of
from trainables.core.device import prepare_device
from trainables.core.precision import computing_in, precisions
from trainables.kernels.steps import Steps
from trainables.networks.torch_layers import Lstm

#: Between these sizes cuDNN's kernels for forward and backward passes differ in kind.
_BETWEEN = 160
_UNITS, _TEXTS = (32, 64, 128, 256), (32, 128, 512, 2048)


def measure(setting: Setting) -> Figures:
    """Return times by units, texts and precision, then errors of gradients at H = 160."""
    device = prepare_device(setting.device, 1)
    sizes = [(8, 4)] if setting.toy else [(h, b) for h in _UNITS for b in _TEXTS]
    figures: Figures = {}
    for precision in precisions(device):
        for H, B in sizes:
            forward, backward = _microseconds(setting, H, B, precision, 0.0)
            figures[f"{precision} H={H} B={B} forward_us_per_step"] = forward
            figures[f"{precision} H={H} B={B} backward_us_per_step"] = backward
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        H, B = sizes[-1]
        forward, backward = _microseconds(setting, H, B, "float32", 0.5)
    figures[f"weight_drop H={H} B={B} forward_us_per_step"] = forward
    figures[f"weight_drop H={H} B={B} backward_us_per_step"] = backward
    figures["weight_drop warnings"] = sum("contiguous" in str(one.message) for one in seen)
    return figures | _errors(setting)


def _layer(size: int, device: torch.device) -> Lstm:
    torch.manual_seed(0)
    return Lstm(size, size).to(device)


def _microseconds(
    setting: Setting, H: int, B: int, precision: str, weight_drop: float
) -> tuple[float, float]:
    device, T = torch.device(setting.device), 5 if setting.toy else 200
    layer, repeats = _layer(H, device), 1 if setting.toy else 5
    x_BTE = torch.randn(B, T, H, device=device, requires_grad=True)

    def forward() -> Tensor:
        with computing_in(precision, device):
            return layer.read(Steps.of(x_BTE), weight_drop)

    def both() -> None:
        forward().float().sum().backward()

    both()
    alone = seconds_of(forward, setting.device, repeats)
    together = seconds_of(both, setting.device, repeats)
    return round(1e6 * alone / T, 2), round(1e6 * (together - alone) / T, 2)


def _errors(setting: Setting) -> Figures:
    """Return the largest error of a gradient as a share of the largest gradient."""
    device, (B, T, H) = (
        torch.device(setting.device),
        (3, 4, 8) if setting.toy else (64, 50, _BETWEEN),
    )
    x_BTE, weight_BTH = torch.randn(B, T, H), torch.randn(B, T, H)
    exact = nn.LSTM(H, H, batch_first=True).double()
    exact.load_state_dict(_layer(H, torch.device("cpu")).state_dict())
    expected = _gradients(exact, exact(x_BTE.double())[0], weight_BTH.double())
    figures: Figures = {}
    for precision in precisions(device):
        for tf32 in (True, False) if precision == "float32" else (True,):
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
            layer = _layer(H, device)
            with computing_in(precision, device):
                y_BTH = layer.read(Steps.of(x_BTE.to(device)), 0.0).float()
            found = _gradients(layer, y_BTH, weight_BTH.to(device))
            worst = max(
                float((a.cpu().double() - b).abs().max() / b.abs().max())
                for a, b in zip(found, expected, strict=True)
            )
            name = precision + ("" if precision != "float32" or tf32 else " without TF32")
            figures[f"{name} H={H} gradient_error"] = float(f"{worst:.2g}")
    return figures


def _gradients(layer: Any, y_BTH: Tensor, weight_BTH: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad((y_BTH * weight_BTH).sum(), list(layer.parameters())))
