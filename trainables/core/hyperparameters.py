"""The hyperparameters of every task, and how one is declared; imports no torch.

A task's hyperparameters are one class: a subclass of ``Hyperparameters``, put together by
inheritance. Each base class stands beside the code that reads its fields. Each field is a
hyperparameter that a study may fix or search. A field has a default. Its type gives its kind:
``int``, ``float``, ``bool``, or one of a closed set of strings.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from trainables.core.memory import DataShape
from trainables.errors import TaskError


def from_source(source: str) -> dict[str, Any]:
    """Name a hyperparameter's source in the literature, for its field's ``json_schema_extra``."""
    return {"source": source}


class OneOf:
    """Annotation of a string field whose values are the names of a registry."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.literal_schema([*self._names])


class Hyperparameters(BaseModel):
    """One configuration. It is frozen, refuses unknown names and never coerces a value.

    A subclass says how much memory its model takes, by ``parameter_count`` and
    ``activation_bytes_per_step``. A search asks for both before it trains.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    learning_rate: Annotated[
        float,
        Field(
            gt=0.0,
            le=10.0,
            description="peak step size",
            json_schema_extra=from_source("Robbins & Monro 1951"),
        ),
    ] = 1e-3
    weight_decay: Annotated[
        float,
        Field(
            ge=0.0,
            le=1.0,
            description="decoupled decay in adamw, L2 penalty in adam and sgd",
            json_schema_extra=from_source("Loshchilov & Hutter 2019"),
        ),
    ] = 0.0
    batch_size: Annotated[
        int,
        Field(
            ge=1,
            le=65536,
            description="texts per optimiser step, whatever memory allows",
            json_schema_extra=from_source("Masters & Luschi 2018"),
        ),
    ] = 128
    optimizer: Annotated[
        Literal["adam", "adamw", "sgd"],
        Field(
            description="update rule; sgd has Nesterov momentum 0.9",
            json_schema_extra=from_source(
                "adam: Kingma & Ba 2015; adamw: Loshchilov & Hutter 2019; sgd: Sutskever 2013"
            ),
        ),
    ] = "adamw"
    schedule: Annotated[
        Literal["constant", "cosine", "one_cycle"],
        Field(
            description="learning rate over the whole of max_epochs",
            json_schema_extra=from_source(
                "cosine: Loshchilov & Hutter 2017; one_cycle: Smith 2018"
            ),
        ),
    ] = "constant"
    clip_norm: Annotated[
        float,
        Field(
            ge=0.0,
            description="largest norm of the whole gradient; 0 turns clipping off",
            json_schema_extra=from_source("Pascanu 2013"),
        ),
    ] = 1.0
    ema_decay: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="evaluate a running average of the weights with this decay a step; 0: not",
            json_schema_extra=from_source("Polyak & Juditsky 1992"),
        ),
    ] = 0.0
    patience: Annotated[
        int,
        Field(
            ge=0,
            description="a search ends a trial after so many epochs with no better value; 0: never",
            json_schema_extra=from_source("Prechelt 1998"),
        ),
    ] = 0

    def parameter_count(self, shape: DataShape) -> int:
        """Return the number of trainable parameters of the whole model."""
        raise NotImplementedError(f"{type(self).__name__}.parameter_count")

    def activation_bytes_per_step(self) -> int:
        """Return the bytes that one step of one example keeps for the backward pass."""
        raise NotImplementedError(f"{type(self).__name__}.activation_bytes_per_step")

    @property
    def has_native_recurrence(self) -> bool:
        """Whether ``trainables.kernels`` can compute the model's recurrence."""
        return False

    @classmethod
    def without_effect(cls, options: Mapping[str, tuple[Any, ...]]) -> dict[str, str]:
        """Return the hyperparameters that no trial would use, each with the reason.

        ``options`` maps a hyperparameter to the values that some trial may take. All trials take
        the default of a hyperparameter that it leaves out.
        """
        return {}


class EmbeddingHyperparameters(Hyperparameters):
    """How the trainer trains a model's token embedding, which is its attribute ``embedding``."""

    freeze_embedding: Annotated[
        bool,
        Field(
            description="never train the embedding; it stays where it starts",
            json_schema_extra=from_source("Kim 2014"),
        ),
    ] = False
    freeze_epochs: Annotated[
        int,
        Field(
            ge=0,
            description="train the embedding only after this many epochs",
            json_schema_extra=from_source("Howard & Ruder 2018"),
        ),
    ] = 0
    embedding_lr_factor: Annotated[
        float,
        Field(
            gt=0.0,
            le=10.0,
            description="the embedding's learning rate as a share of the others'",
            json_schema_extra=from_source("Howard & Ruder 2018"),
        ),
    ] = 1.0

    @classmethod
    def without_effect(cls, options: Mapping[str, tuple[Any, ...]]) -> dict[str, str]:
        """Add how an embedding is trained that no trial trains, where it is not as by default."""
        reasons = super().without_effect(options)
        if all(options.get("freeze_embedding", (False,))):
            for name in ("freeze_epochs", "embedding_lr_factor"):
                default = (cls.model_fields[name].default,)
                if options.get(name, default) != default:
                    reasons[name] = "freeze_embedding is true in every trial"
        return reasons


class Declaration(BaseModel):
    """A hyperparameter as plain data. The journal keeps it, so that readers import no task.

    Attributes:
        kind: type of its values; ``choice`` is one of a closed set.
        default: value of a trial whose study neither fixes nor searches it.
        choices: values of a ``choice``; empty for other kinds.
        minimum: lowest value allowed.
        maximum: highest value allowed.
        above: exclusive lower bound.
        below: exclusive upper bound.
        description: what it does.
        source: where it comes from in the literature.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["int", "float", "bool", "choice"]
    default: Any
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    description: str = ""
    source: str = ""


#: Kinds by the type's name in a JSON schema.
_KINDS: dict[str, Literal["int", "float", "bool"]] = {
    "integer": "int",
    "number": "float",
    "boolean": "bool",
}


def declare(hyperparameters: type[Hyperparameters]) -> dict[str, Declaration]:
    """Return the declaration of every hyperparameter of a class, by name.

    Raises:
        TaskError: a field has no default, or its type cannot be searched.
    """
    return dict(_declared(hyperparameters))


@cache  # a schema takes milliseconds, and a session asks for it a few times
def _declared(hyperparameters: type[Hyperparameters]) -> tuple[tuple[str, Declaration], ...]:
    schemas = hyperparameters.model_json_schema()["properties"]
    return tuple((name, _declaration(name, schema)) for name, schema in schemas.items())


def _declaration(name: str, schema: dict[str, Any]) -> Declaration:
    # A ``Literal`` of one value is a ``const`` in a JSON schema.
    choices = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if "default" not in schema:
        raise TaskError(f"hyperparameter {name!r} has no default: give it one")
    if not choices and schema.get("type") not in _KINDS:
        raise TaskError(
            f"hyperparameter {name!r} is neither an int, a float, a bool nor one of a closed set: "
            "write its type so, as in Literal['relu', 'gelu']"
        )
    return Declaration(
        kind="choice" if choices else _KINDS[schema["type"]],
        default=schema["default"],
        choices=tuple(choices),
        minimum=schema.get("minimum"),
        maximum=schema.get("maximum"),
        above=schema.get("exclusiveMinimum"),
        below=schema.get("exclusiveMaximum"),
        description=schema.get("description", ""),
        source=schema.get("source", ""),
    )
