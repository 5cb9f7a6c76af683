"""A running average of the weights, which is evaluated in their place (Polyak & Juditsky 1992)."""

from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel


def average_of(model: nn.Module, decay: float) -> AveragedModel | None:
    """A copy that follows the model when told to; None where ``decay`` is 0.

    The first steps count for more: after n of them the decay is (1 + n) / (10 + n) at most, so
    that the weights a network starts from are soon forgotten.
    """
    if decay == 0:
        return None

    @torch.no_grad()
    def follow(averages: Any, weights: Any, steps: Any) -> None:
        n = int(average.n_averaged)  # not ``steps``: its copy on a GPU, to be waited for
        torch._foreach_lerp_(averages, weights, 1.0 - min(decay, (1 + n) / (10 + n)))

    average = AveragedModel(model, multi_avg_fn=follow)
    for module in average.modules():
        if isinstance(module, nn.RNNBase):
            module.flatten_parameters()  # a copy's lie apart, and cuDNN would gather them each time
    return average
