"""A running average of the weights, evaluated in their place (Polyak & Juditsky 1992)."""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn


class AverageModel(nn.Module):
    """A copy of a model whose weights move towards the model's at each call of ``follow``.

    torch's own ``AveragedModel`` copies its step count to a GPU at every step, and waits for it.
    Here the count stays on the CPU.

    Attributes:
        steps: number of calls of ``follow`` so far; a buffer, so that checkpoints hold it.
    """

    steps: Tensor

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__()
        self.module, self.decay = deepcopy(model), decay
        self.register_buffer("steps", torch.tensor(0))
        for module in self.module.modules():
            if isinstance(module, nn.RNNBase):
                module.flatten_parameters()  # deepcopy scatters them; cuDNN would gather each time

    def forward(self, *inputs: Any) -> Any:
        """Return the outputs of the averaged weights."""
        return self.module(*inputs)

    @torch.no_grad()
    def follow(self, model: nn.Module) -> None:
        """Move each average towards the model's weights, and copy its buffers.

        The first call copies the weights. After n calls the decay is at most (1 + n) / (10 + n).
        So early steps count for more, and a network's initial weights are soon forgotten.
        """
        n = int(self.steps)
        moved = 1.0 - min(self.decay, (1 + n) / (10 + n)) if n else 1.0
        torch._foreach_lerp_(list(self.module.parameters()), list(model.parameters()), moved)
        for own, other in zip(self.module.buffers(), model.buffers(), strict=True):
            own.copy_(other)  # such as the running statistics of a batch norm
        self.steps += 1


def average_of(model: nn.Module, decay: float) -> AverageModel | None:
    """Build a running average of the model's weights; return None where ``decay`` is 0."""
    return AverageModel(model, decay) if decay else None
