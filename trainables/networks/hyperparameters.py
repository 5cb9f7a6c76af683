"""The hyperparameters of a recurrent network that reads tokens; imports no torch."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from trainables.core.hyperparameters import (
    EmbeddingHyperparameters,
    Hyperparameters,
    OneOf,
    from_source,
)
from trainables.core.memory import FLOAT_BYTES, DataShape
from trainables.data.text.augmentation import AugmentationHyperparameters
from trainables.embeddings.sources import SCRATCH, SOURCES
from trainables.networks.cells import CELLS

#: Numbers kept for each unit of the head's hidden layer: before ReLU, after it, after dropout.
_HEAD_COPIES = 3


class TokenHyperparameters(EmbeddingHyperparameters, AugmentationHyperparameters):
    """Hyperparameters of the token embedding: where it starts, how wide it is, and its dropout."""

    embedding: Annotated[
        str,
        OneOf("scratch", *SOURCES),
        Field(
            description="where the embedding starts: at random, or at vectors learnt elsewhere "
            "(see the study's [embeddings])",
            json_schema_extra=from_source(
                "glove: Pennington 2014; word2vec: Mikolov 2013; bert: Devlin 2019, its table of "
                "word pieces; bert-features: its outputs, frozen (both with data.tokens = bert)"
            ),
        ),
    ] = "scratch"
    embedding_dim: Annotated[
        int,
        Field(
            ge=1,
            le=4096,
            description="length of a token's embedding vector; vectors learnt elsewhere bring it",
            json_schema_extra=from_source("Bengio 2003"),
        ),
    ] = 64
    word_dropout: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="share of a training text's tokens replaced by the unknown token",
            json_schema_extra=from_source("Iyyer 2015"),
        ),
    ] = 0.0
    embedding_dropout: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="share of the vocabulary's words whose vectors are zero for a forward pass",
            json_schema_extra=from_source("Gal & Ghahramani 2016; Merity 2018"),
        ),
    ] = 0.0

    @classmethod
    def without_effect(cls, options: Mapping[str, tuple[Any, ...]]) -> dict[str, str]:
        """Return the hyperparameters that pretrained vectors decide, each with the reason.

        Vectors bring their own width. If they stay frozen, hyperparameters of the embedding's
        training have no effect. To fix one of these does no harm, so only searched ones are
        returned.
        """
        kinds = options.get("embedding", (SCRATCH,))
        reasons: dict[str, str] = {}
        if SCRATCH not in kinds:
            reasons["embedding_dim"] = "the embedding's vectors bring their own width"
            if all(isinstance(k, str) and k in SOURCES and SOURCES[k].frozen for k in kinds):
                names = EmbeddingHyperparameters.__annotations__
                searched = [name for name in names if len(options.get(name, ())) != 1]
                reasons |= dict.fromkeys(searched, f"{kinds[0]} stays frozen")
        return super().without_effect(options) | reasons


def _never(options: Mapping[str, tuple[Any, ...]], *names: str) -> bool:
    """Whether all of these hyperparameters are zero in every trial."""
    return not any(value for name in names for value in options.get(name, ()))


class RecurrentHyperparameters(TokenHyperparameters):
    """Hyperparameters of the recurrent encoder and of the head after it."""

    cell: Annotated[
        str,
        OneOf(*CELLS),
        Field(
            description="recurrent cell: "
            + ", ".join(f"{name}: {cell.description}" for name, cell in CELLS.items()),
            json_schema_extra=from_source(", ".join(cell.source for cell in CELLS.values())),
        ),
    ] = "lstm"
    hidden_size: Annotated[
        int,
        Field(
            ge=1,
            le=4096,
            description="units of a recurrent layer, per direction",
            json_schema_extra=from_source("Elman 1990"),
        ),
    ] = 64
    num_layers: Annotated[
        int,
        Field(
            ge=1,
            le=8,
            description="stacked recurrent layers",
            json_schema_extra=from_source("Graves 2013"),
        ),
    ] = 1
    bidirectional: Annotated[
        bool,
        Field(
            description="also read each text backwards, within its own length",
            json_schema_extra=from_source("Schuster & Paliwal 1997"),
        ),
    ] = False
    pooling: Annotated[
        Literal["last", "mean", "max", "attention", "concat"],
        Field(
            description="how the outputs of all steps become one vector; "
            "concat is last, mean and max side by side",
            json_schema_extra=from_source("concat: Howard & Ruder 2018"),
        ),
    ] = "last"
    dropout: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="share of activations dropped between layers, before the head and in it",
            json_schema_extra=from_source("Zaremba 2014"),
        ),
    ] = 0.0
    locked_dropout: Annotated[
        bool,
        Field(
            description="dropout before and between the layers drops the same features at every "
            "step of a text",
            json_schema_extra=from_source("Gal & Ghahramani 2016; Merity 2018"),
        ),
    ] = False
    input_dropout: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="share of the embedded tokens' features dropped",
            json_schema_extra=from_source("Zaremba 2014"),
        ),
    ] = 0.0
    weight_drop: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="share of the recurrent weights dropped for a forward pass",
            json_schema_extra=from_source("Merity 2018"),
        ),
    ] = 0.0
    layer_norm: Annotated[
        bool,
        Field(
            description="normalise the outputs of each recurrent layer",
            json_schema_extra=from_source("Ba 2016"),
        ),
    ] = False
    head_hidden: Annotated[
        int,
        Field(
            ge=0,
            le=4096,
            description="units of a hidden layer (ReLU) in the head; 0 for none",
            json_schema_extra=from_source("Howard & Ruder 2018"),
        ),
    ] = 0

    @classmethod
    def without_effect(cls, options: Mapping[str, tuple[Any, ...]]) -> dict[str, str]:
        """Add the ways of dropping something where nothing is dropped."""
        reasons = super().without_effect(options)
        layers = options.get("num_layers", (cls.model_fields["num_layers"].default,))
        if _never(options, "dropout", "input_dropout"):
            reasons["locked_dropout"] = "dropout and input_dropout are 0"
        elif _never(options, "input_dropout") and all(n == 1 for n in layers):
            reasons["locked_dropout"] = "input_dropout is 0, and one layer has nothing between"
        return reasons

    @property
    def has_native_recurrence(self) -> bool:
        """Whether ``trainables.kernels`` can compute the cell."""
        return CELLS[self.cell].native

    def parameter_count(self, shape: DataShape) -> int:
        """Return the number of trainable parameters of embedding, encoder and head."""
        directions = 2 if self.bidirectional else 1
        width, gates = self.embedding_dim, CELLS[self.cell].gates
        frozen = self.embedding != SCRATCH and SOURCES[self.embedding].frozen
        count = 0 if frozen else shape.vocabulary * width  # frozen features are a mapped file
        for _ in range(self.num_layers):
            count += directions * gates * self.hidden_size * (width + self.hidden_size + 2)
            width = directions * self.hidden_size
        count += width + 1 if self.pooling == "attention" else 0
        count += 2 * width * self.num_layers if self.layer_norm else 0
        pooled = width * (3 if self.pooling == "concat" else 1)
        if self.head_hidden:
            count += (pooled + 1) * self.head_hidden
            return count + (self.head_hidden + 1) * shape.outputs
        return count + (pooled + 1) * shape.outputs

    def activation_bytes_per_step(self) -> int:
        """Return the bytes of a token's embedding and of all layers' gates, states and outputs.

        The head counts for every token, as if each text had one token only.
        """
        per_unit = CELLS[self.cell].gates + 6
        directions = 2 if self.bidirectional else 1
        units = self.num_layers * directions * self.hidden_size
        # A batch has few different words, each embedded once. With input dropout each place has
        # features of its own.
        copies = 5 if self.input_dropout > 0 else 1
        per_unit += 2 * self.layer_norm + 2 * (self.pooling in ("max", "concat"))
        numbers = copies * self.embedding_dim + units * per_unit + _HEAD_COPIES * self.head_hidden
        return FLOAT_BYTES * numbers


class ClassificationHyperparameters(Hyperparameters):
    """Hyperparameters of the loss over classes."""

    label_smoothing: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="share of the target spread over all classes, in training only",
            json_schema_extra=from_source("Szegedy 2016"),
        ),
    ] = 0.0
    class_weights: Annotated[
        Literal["none", "balanced"],
        Field(
            description="balanced: each class counts alike in the loss, however many texts it has",
            json_schema_extra=from_source("King & Zeng 2001"),
        ),
    ] = "none"


class RecurrentClassifierHyperparameters(RecurrentHyperparameters, ClassificationHyperparameters):
    """All hyperparameters that a study of ``text-classification`` may fix or search."""
