"""The recurrent cells by name; imports no torch, since light commands check a space against it."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.networks.recurrent_layers import RecurrentLayer


@dataclass(frozen=True)
class Cell:
    """One kind of recurrence.

    Attributes:
        layer: where its class is, as ``module:Class``; see ``RecurrentLayer``.
        gates: number of gates and candidates that a unit computes at a step, four in an LSTM. Each
            counts as two matrices and two biases in the estimates of memory and of work.
        description: what it is, for the description of the hyperparameter ``cell``.
        source: where it comes from in the literature.
        native: whether ``trainables.kernels`` can compute it on a CPU.
    """

    layer: str
    gates: int
    description: str
    source: str
    native: bool = False

    def load(self) -> "type[RecurrentLayer]":
        """Import the layer's class, and torch with it."""
        module, _, name = self.layer.partition(":")
        found: type[RecurrentLayer] = getattr(import_module(module), name)
        return found


_TORCH = "trainables.networks.torch_layers"

CELLS: dict[str, Cell] = {
    "rnn": Cell(f"{_TORCH}:Elman", 1, "tanh network", "Elman 1990", native=True),
    "gru": Cell(f"{_TORCH}:Gru", 3, "gated unit", "Cho 2014", native=True),
    "lstm": Cell(
        f"{_TORCH}:Lstm",
        4,
        "long short-term memory",
        "Hochreiter & Schmidhuber 1997",
        native=True,
    ),
}
