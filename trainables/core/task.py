"""What a task is to the trainer: three methods; and what a model reads: a part of the data.

Shapes: B examples of a batch, N of a part, C outputs, V words of the vocabulary, E numbers a word.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(frozen=True)
class TaskContext:
    """What a model and its loss depend on beside the hyperparameters.

    Attributes:
        vocabulary: distinct token ids; 0 where the data has no tokens.
        classes: the classes' names by number; none where targets are numbers.
        targets_N: the training targets: class numbers, or numbers.
        vectors_VE: word vectors to start from, NaN rows where a word has none.
    """

    vocabulary: int
    classes: tuple[str, ...]
    targets_N: NDArray[Any]
    vectors_VE: NDArray[np.float32] | NDArray[np.float16] | None = None


class Task(Protocol):
    """One trial's task, made as ``Class(hyperparameters, context)``.

    It draws no random number before ``build``, and never writes a loop.
    """

    def build(self) -> nn.Module:
        """Make a new model that maps a batch's inputs to outputs_BC.

        The inputs of texts are ids_BT and lengths_B. If the model has a token embedding, that is
        its attribute ``embedding``: the trainer freezes and releases it as asked.
        """

    def losses(self, outputs_BC: Tensor, targets_B: Tensor) -> Tensor:
        """Return the loss of each example: losses_B."""

    def metrics(self, outputs_NC: Tensor, targets_N: Tensor) -> dict[str, float]:
        """Return figures of a whole part by plain name; ``val/`` is put before each."""
