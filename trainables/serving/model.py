"""A model that was loaded from its folder: from texts to labels and probabilities, or numbers.

Everything is computed in float32, whatever the training did.

Shapes: N texts, B texts of a batch, T tokens, C outputs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from trainables.core.batching import micro_batches
from trainables.core.memory import ANYWHERE, DataShape, micro_batch_steps
from trainables.core.task import TaskContext
from trainables.data.text.bert import bert_version
from trainables.data.text.tokens import PAD
from trainables.data.text.words import Ids
from trainables.embeddings.bert import Bert
from trainables.embeddings.sources import SCRATCH
from trainables.errors import DataError
from trainables.networks.embedding import FrozenRows
from trainables.networks.hyperparameters import RecurrentHyperparameters
from trainables.serving.encoding import TextEncoder
from trainables.serving.folder import (
    TOKENIZER,
    WEIGHTS,
    ModelConfig,
    ModelSpec,
    read_config,
    read_vouched,
)
from trainables.tasks.registry import find_task

T = TypeVar("T")

#: Texts read at a time: enough to sort by length, few enough to bound the memory.
CHUNK = 4096

#: And texts whose features are in memory at a time.
_FEATURED = 256


@dataclass(frozen=True)
class Prediction:
    """What a model says of a text.

    Attributes:
        label: the likeliest class; None for a regression.
        probabilities: of each class, by name.
        value: the number that a regression predicts; None for classes.
    """

    label: str | None
    probabilities: dict[str, float]
    value: float | None = None


class Model:
    """A network with its tokenizer.

    Attributes:
        config: what it is.
        encoder: what turns texts into token ids.
        network: the module from ids_BT and lengths_B to outputs_BC, in evaluation mode.
    """

    def __init__(self, config: ModelConfig, network: nn.Module, encoder: TextEncoder) -> None:
        self.config, self.network, self.encoder = config, network, encoder
        h = network.hyperparameters
        assert isinstance(h, RecurrentHyperparameters)
        self._bert: Bert | None = None
        self._steps = micro_batch_steps(h.activation_bytes_per_step(), ANYWHERE)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Return what the model says of each text, in their order.

        Raises:
            TypeError: it is given one text instead of a list of them.
        """
        if isinstance(texts, str):
            raise TypeError("predict takes a list of texts: write predict([text])")
        return self.in_words(self.outputs(texts))

    def in_words(self, outputs_NC: NDArray[np.float32]) -> list[Prediction]:
        """Return outputs as predictions."""
        if not self.config.classes:
            return [Prediction(None, {}, value) for value in self.values(outputs_NC).tolist()]
        classes, p_NC = self.config.classes, probabilities(outputs_NC)
        return [
            Prediction(classes[best], dict(zip(classes, row, strict=True)))
            for best, row in zip(p_NC.argmax(axis=1).tolist(), p_NC.tolist(), strict=True)
        ]

    def values(self, outputs_N1: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return a regression's outputs in the unit of its labels."""
        return outputs_N1[:, 0].astype(np.float64) * self.deviation + self._buffer("mean")

    @property
    def deviation(self) -> float:
        """The standard deviation of a regression's labels in training."""
        return self._buffer("deviation")

    def _buffer(self, name: str) -> float:
        return float(dict(self.network.named_buffers())[name])

    def outputs(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the network's outputs for each text, outputs_NC: logits of classes, or standard
        deviations from a regression's mean."""
        width = max(1, len(self.config.classes))
        found = np.zeros((len(texts), width), dtype=np.float32)
        for start in range(0, len(texts), CHUNK):
            self._fill(
                found[start : start + CHUNK], self.encoder.encode(texts[start : start + CHUNK])
            )
        return found

    def outputs_of(self, ids: Sequence[Ids]) -> NDArray[np.float32]:
        """Return the network's outputs for token ids, outputs_NC."""
        found = np.zeros((len(ids), max(1, len(self.config.classes))), dtype=np.float32)
        self._fill(found, ids)
        return found

    def _fill(self, found_NC: NDArray[np.float32], ids: Sequence[Ids]) -> None:
        if self.config.features is None:
            self._pass(found_NC, ids)
            return
        if self._bert is None:
            self._bert = Bert(self.encoder.vocabulary)
        for start in range(0, len(ids), _FEATURED):
            some = slice(start, start + _FEATURED)
            features_ME, rows = self._bert.features(ids[some])
            self.network.embedding = FrozenRows(features_ME)
            self._pass(found_NC[some], rows)

    def _pass(self, found_NC: NDArray[np.float32], ids: Sequence[Ids]) -> None:
        lengths_N = np.array([max(1, len(one)) for one in ids], dtype=np.int64)
        with torch.inference_mode():
            for rows in micro_batches(np.arange(len(ids)), lengths_N, self._steps):
                ids_BT, lengths_B = _padded([ids[row] for row in rows], lengths_N[rows])
                found_NC[rows] = self.network(ids_BT, lengths_B).numpy()


def probabilities(outputs_NC: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the softmax of logits, p_NC."""
    shifted_NC = outputs_NC.astype(np.float64)
    shifted_NC -= shifted_NC.max(axis=1, keepdims=True)
    e_NC = np.exp(shifted_NC)
    return np.asarray(e_NC / e_NC.sum(axis=1, keepdims=True))


def _padded(ids: Sequence[Ids], lengths_B: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    padded_BT = np.full((len(ids), int(lengths_B.max())), PAD, dtype=np.int64)
    for row, one in zip(padded_BT, ids, strict=True):
        row[: len(one)] = one
    return torch.from_numpy(padded_BT), torch.from_numpy(lengths_B)


def load_model(path: str | Path, threads: int | None = None) -> Model:
    """Load a model from its folder. Nothing in the folder is executed.

    ``threads`` is of this process; None leaves them as they are.

    Raises:
        DataError: there is none, it is of another format, or a file is missing or altered.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    folder = Path(path).expanduser()
    config = read_config(folder)
    files = read_vouched(folder, config)
    if config.features is not None and config.features != bert_version():
        raise DataError(
            f"the model reads the outputs of {config.features}, and {bert_version()} is installed"
        )
    encoder = TextEncoder(files[TOKENIZER], config.max_tokens, config.keep)
    try:
        tensors = load_tensors(files[WEIGHTS])
        numbers = sum(tensor.numel() for tensor in tensors.values())
        network = build_network(config, at_most=numbers)
        network.load_state_dict(tensors, assign=True)
    except (SafetensorError, RuntimeError, ValueError) as error:
        cause = str(error).splitlines()[0]
        raise DataError(f"the weights in {folder} do not fit its configuration: {cause}") from error
    return Model(config, network.eval(), encoder)


def build_network(config: ModelSpec, at_most: int | None = None) -> nn.Module:
    """Build a network of this configuration, with random weights.

    Raises:
        DataError: its hyperparameters are not the task's.
        ValueError: it would have more than ``at_most`` weights.
    """
    entry = find_task(config.task)
    try:
        given = entry.declaration.hyperparameters.model_validate(config.hyperparameters)
    except ValueError as error:
        raise DataError(
            f"the model's hyperparameters are not those of {config.task}: {error}"
        ) from error
    # Its words have their vectors in the weights, wherever they began; features come with texts.
    start = {} if config.features else {"embedding": SCRATCH}
    hyperparameters = given.model_copy(update=start)
    assert isinstance(hyperparameters, RecurrentHyperparameters)
    shape = DataShape(config.vocabulary, max(1, len(config.classes)), config.max_tokens)
    if at_most is not None and hyperparameters.parameter_count(shape) > at_most:
        raise ValueError(f"it has more than the {at_most:,} weights that there are")
    none_ME = np.zeros((2, hyperparameters.embedding_dim), np.float16) if config.features else None
    targets_N = np.zeros(1, dtype=np.int64)
    context = TaskContext(config.vocabulary, config.classes, targets_N, none_ME)
    return entry.load()(hyperparameters, context).build()


def chunks(texts: Iterator[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Yield texts by so many, for a stream that need not fit in memory."""
    held: list[T] = []
    for text in texts:
        held.append(text)
        if len(held) == size:
            yield held
            held = []
    if held:
        yield held
