"""A running average of the weights, which is evaluated in their place (Polyak & Juditsky 1992)."""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn


class AverageModel(nn.Module):
    """A copy that follows a model when told to.

    torch's own ``AveragedModel`` copies its count to a GPU at every step, and waits for it.
    """

    steps: Tensor

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__()
        self.module, self.decay = deepcopy(model), decay
        self.register_buffer("steps", torch.tensor(0))
        for module in self.module.modules():
            if isinstance(module, nn.RNNBase):
                module.flatten_parameters()  # a copy's lie apart: cuDNN would gather them each time

    def forward(self, *inputs: Any) -> Any:
        """Return the outputs of the averaged weights."""
        return self.module(*inputs)

    @torch.no_grad()
    def follow(self, model: nn.Module) -> None:
        """Move each average towards the model's weights.

        The first is a copy, and the first steps count for more: after n of them the decay is
        (1 + n) / (10 + n) at most, so that the weights a network starts from are soon forgotten.
        """
        n = int(self.steps)
        moved = 1.0 - min(self.decay, (1 + n) / (10 + n)) if n else 1.0
        torch._foreach_lerp_(list(self.module.parameters()), list(model.parameters()), moved)
        self.steps += 1


def average_of(model: nn.Module, decay: float) -> AverageModel | None:
    """Make a running average of the model's weights; None where ``decay`` is 0."""
    return AverageModel(model, decay) if decay else None
