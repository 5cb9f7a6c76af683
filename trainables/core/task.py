"""The interface between a task and the trainer: three methods, and the data they depend on.

Shapes: B examples of a batch, N examples of a part of the data, C outputs, V words of the
vocabulary, E features of a word.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(frozen=True)
class TaskContext:
    """Properties of the data that a model and its loss depend on.

    Attributes:
        vocabulary: number of distinct token ids; 0 where the data has no tokens.
        classes: names of the classes, in the order of their indices; empty for regression.
        targets_N: targets of the training part: class indices, or numbers for regression.
        vectors_VE: pretrained vectors to start from. Words without one have rows of NaN. float16
            rows are features of positions, which stay frozen.
    """

    vocabulary: int
    classes: tuple[str, ...]
    targets_N: NDArray[Any]
    vectors_VE: NDArray[np.float32] | NDArray[np.float16] | None = None


class Task(Protocol):
    """The task of one trial, created as ``Class(hyperparameters, context)``.

    It draws no random number before ``build``, because the trainer seeds the generators just
    before that call. The training loop is the trainer's, never the task's.
    """

    def build(self) -> nn.Module:
        """Build a new model that maps a batch's inputs to outputs_BC.

        The inputs of texts are ids_BT and lengths_B. A model keeps its token embedding, if it has
        one, in the attribute ``embedding``. The trainer freezes it as the hyperparameters ask.
        """

    def losses(self, outputs_BC: Tensor, targets_B: Tensor) -> Tensor:
        """Return losses_B, the loss of each example."""

    def metrics(self, outputs_NC: Tensor, targets_N: Tensor) -> dict[str, float]:
        """Return the metrics of a whole part by plain name; ``val/`` is put before each later."""
