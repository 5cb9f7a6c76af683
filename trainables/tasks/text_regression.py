"""Text regression: one number for each text.

Shapes: B texts, N texts of a whole part, 1 output.
"""

import torch
from torch import Tensor, nn

from trainables.core.task import TaskContext
from trainables.networks.hyperparameters import RecurrentHyperparameters
from trainables.networks.network import TextNetwork
from trainables.tasks.registry import TASKS


class NumberNetwork(TextNetwork):
    """A network that returns standard deviations from a mean, and keeps both as float64 buffers.

    So its weights alone predict numbers in the labels' own unit: ``output * deviation + mean``.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        hyperparameters: RecurrentHyperparameters,
        context: TaskContext,
        mean: float,
        deviation: float,
    ) -> None:
        super().__init__(hyperparameters, context, outputs=1)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float64))
        self.register_buffer("deviation", torch.tensor(deviation, dtype=torch.float64))


class TextRegression:
    """Regression by squared error.

    The network's output is in standard deviations from the training mean, and so is the loss, as
    squared standard deviations. ``mae`` and ``rmse`` are in the labels' own unit.

    Attributes:
        mean: mean of the training labels.
        deviation: standard deviation of the training labels; 1 if they are all equal.
    """

    declaration = TASKS["text-regression"].declaration

    def __init__(self, hyperparameters: RecurrentHyperparameters, context: TaskContext) -> None:
        self.hyperparameters, self.context = hyperparameters, context
        self.mean = float(context.targets_N.mean())
        self.deviation = float(context.targets_N.std()) or 1.0

    def build(self) -> nn.Module:
        """Build a recurrent network with random weights, except for pretrained vectors."""
        return NumberNetwork(self.hyperparameters, self.context, self.mean, self.deviation)

    def losses(self, outputs_B1: Tensor, targets_B: Tensor) -> Tensor:
        """Return the squared error of each text, in squared standard deviations: losses_B."""
        # The difference in float64: large numbers may differ only behind float32's seven digits.
        standardised_B = (targets_B.double() - self.mean) / self.deviation
        return (outputs_B1[:, 0] - standardised_B.float()).square()

    def metrics(self, outputs_N1: Tensor, targets_N: Tensor) -> dict[str, float]:
        """Return mean absolute error, root mean squared error, R² and loss over a whole part."""
        predicted_N = outputs_N1[:, 0].double() * self.deviation + self.mean
        errors_N = predicted_N - targets_N.double()
        squared = errors_N.square().mean()
        variance = targets_N.double().var(unbiased=False)
        explained = 1.0 - squared / variance if variance > 0 else torch.zeros(())
        return {
            "mae": errors_N.abs().mean().item(),
            "rmse": squared.sqrt().item(),
            "r2": explained.item(),
            "loss": squared.item() / self.deviation**2,
        }
