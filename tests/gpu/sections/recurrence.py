"""One recurrent layer: microseconds a step, and whether its gradients are right.

Shapes: B texts, T tokens, E features, H units.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tests.gpu.record import Record
from tests.gpu.setting import Setting
from tests.gpu.timing import largest, seconds_of, warm_up
from trainables.core.device import prepare_device
from trainables.core.precision import computing_in, precisions
from trainables.kernels.steps import Steps
from trainables.networks.torch_layers import Lstm

#: Between these sizes cuDNN's kernels for forward and backward passes differ in kind.
_BETWEEN = 160
_UNITS, _TEXTS = (32, 64, 128, _BETWEEN, 256), (32, 128, 512, 2048)


def measure(setting: Setting, record: Record) -> None:
    """Take down errors of gradients at H = 160, then times by units, texts and precision."""
    device = prepare_device(setting.device, 1)
    _errors(setting, record)
    sizes = [(8, 4)] if setting.toy else [(h, b) for h in _UNITS for b in _TEXTS]
    warm_up(setting.device)
    for precision in precisions(device):
        with _counting_warnings(record, precision):
            for H, B in sizes:
                _time(setting, record, (H, B, precision, 0.0))
            _time(setting, record, (*sizes[-1], precision, 0.5))


@contextmanager
def _counting_warnings(record: Record, precision: str) -> Iterator[None]:
    """Take down how often cuDNN had to gather the weights; the log says every warning once."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        yield
    said = [str(one.message) for one in seen]
    record.add({f"{precision} warnings of weights": sum("contiguous" in one for one in said)})
    print(*dict.fromkeys(said), sep="\n", flush=True)


def _layer(size: int, device: torch.device) -> Lstm:
    torch.manual_seed(0)
    return Lstm(size, size).to(device)


def _time(setting: Setting, record: Record, which: tuple[int, int, str, float]) -> None:
    H, B, precision, weight_drop = which
    name = f"{precision}{' weight_drop' * (weight_drop > 0)} H={H} B={B}"
    with record.trying(name):
        forward, backward = _microseconds(setting, H, B, precision, weight_drop)
        record.add({f"{name} forward_us_per_step": forward})
        record.add({f"{name} backward_us_per_step": backward})


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


def _errors(setting: Setting, record: Record) -> None:
    """Take down the largest error of a gradient as a share of the largest gradient."""
    device = torch.device(setting.device)
    B, T, H = (3, 4, 8) if setting.toy else (64, 50, _BETWEEN)
    torch.manual_seed(1)
    x_BTE, weight_BTH = torch.randn(B, T, H), torch.randn(B, T, H)
    exact = nn.LSTM(H, H, batch_first=True).double()
    exact.load_state_dict(_layer(H, torch.device("cpu")).state_dict())
    expected = _gradients(exact, exact(x_BTE.double())[0], weight_BTH.double())
    # The last is as prepare_device has set it.
    kinds = [("float32", False), *((precision, True) for precision in precisions(device))]
    for precision, tf32 in kinds:
        name = f"{precision}{' without TF32' * (not tf32)} H={H}"
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
        with record.trying(name):
            layer = _layer(H, device)
            with computing_in(precision, device):
                y_BTH = layer.read(Steps.of(x_BTE.to(device)), 0.0).float()
            found = _gradients(layer, y_BTH, weight_BTH.to(device))
            worst = largest(
                (a.cpu().double() - b).abs().max() / b.abs().max()
                for a, b in zip(found, expected, strict=True)
            )
            record.add({f"{name} gradient_error": worst})


def _gradients(layer: Any, y_BTH: Tensor, weight_BTH: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad((y_BTH * weight_BTH).sum(), list(layer.parameters())))
