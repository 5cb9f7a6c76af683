"""What a task is to the trainer: three methods. Shapes: B texts of a batch, N of a part, C outputs.

A task of one's own is one class in one file, anywhere Python finds it, named in the study file as
``task = "module:Class"``. Beside the three methods it says two things of itself:

* ``directions``: its metrics as the study names them and whether each is better at its ``min`` or
  its ``max``, for instance ``{"val/accuracy": "max", "val/loss": "min"}``;
* ``labels``: ``"class"`` for one of a closed set, ``"number"`` for a number to be predicted.

``trainables/tasks/text_classification.py`` is an example of the three methods.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(frozen=True)
class TaskContext:
    """What a model's ends and its loss depend on: distinct token ids, the names of the classes
    (none for numbers), the training targets (class numbers, or numbers), and word vectors to
    start from (NaN rows where a word has none)."""

    vocabulary: int
    classes: tuple[str, ...]
    targets_N: NDArray[np.int64] | NDArray[np.float32]
    vectors_VE: NDArray[np.float32] | NDArray[np.float16] | None = None


class Task(Protocol):
    """One trial's task, made as ``Class(hyperparameters, ends)``; it draws no random number before
    ``build``, and never writes a loop."""

    def build(self) -> nn.Module:
        """A new model that maps (ids_BT, lengths_B) to outputs_BC; its token embedding, if it has
        one, is the attribute ``embedding``."""

    def losses(self, outputs_BC: Tensor, targets_B: Tensor) -> Tensor:
        """The loss of each example, losses_B."""

    def metrics(self, outputs_NC: Tensor, targets_N: Tensor) -> dict[str, float]:
        """Figures of a whole part, by plain name; ``val/`` is put before them."""
