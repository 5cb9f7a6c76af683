"""Every hyperparameter of the recurrent models: kind, range, default, meaning and source.

This file imports no torch: the command line validates a search space against it instantly. A
study's ``[fixed]`` and ``[space]`` tables may name exactly these fields.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


def _from(source: str) -> dict[str, Any]:
    """Where a hyperparameter comes from, kept beside its description."""
    return {"source": source}


class Hyperparameters(BaseModel):
    """One configuration; frozen, unknown names refused, values never coerced."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    cell: Annotated[
        Literal["rnn", "gru", "lstm"],
        Field(
            description="recurrent cell: Elman's tanh network, gated unit, long short-term memory",
            json_schema_extra=_from("Elman 1990; Cho 2014; Hochreiter & Schmidhuber 1997"),
        ),
    ] = "lstm"
    embedding: Annotated[
        Literal["scratch", "glove", "word2vec", "bert", "bert-features"],
        Field(
            description="where the embedding starts: at random, or at vectors learnt elsewhere "
            "(see the study's [embeddings])",
            json_schema_extra=_from(
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
            json_schema_extra=_from("Bengio 2003"),
        ),
    ] = 64
    freeze_embedding: Annotated[
        bool,
        Field(
            description="never train the embedding; it stays where it starts",
            json_schema_extra=_from("Kim 2014"),
        ),
    ] = False
    freeze_epochs: Annotated[
        int,
        Field(
            ge=0,
            description="train the embedding only after this many epochs",
            json_schema_extra=_from("Howard & Ruder 2018"),
        ),
    ] = 0
    embedding_lr_factor: Annotated[
        float,
        Field(
            gt=0.0,
            le=10.0,
            description="the embedding's learning rate as a share of the others'",
            json_schema_extra=_from("Howard & Ruder 2018"),
        ),
    ] = 1.0
    hidden_size: Annotated[
        int,
        Field(
            ge=1,
            le=4096,
            description="units of a recurrent layer, per direction",
            json_schema_extra=_from("Elman 1990"),
        ),
    ] = 64
    num_layers: Annotated[
        int,
        Field(
            ge=1,
            le=8,
            description="stacked recurrent layers",
            json_schema_extra=_from("Graves 2013"),
        ),
    ] = 1
    bidirectional: Annotated[
        bool,
        Field(
            description="also read each text backwards, within its own length",
            json_schema_extra=_from("Schuster & Paliwal 1997"),
        ),
    ] = False
    pooling: Annotated[
        Literal["last", "mean", "max", "attention", "concat"],
        Field(
            description="how the outputs of all steps become one vector; "
            "concat is last, mean and max side by side",
            json_schema_extra=_from("concat: Howard & Ruder 2018"),
        ),
    ] = "last"
    dropout: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="share of activations dropped between layers, before the head and in it",
            json_schema_extra=_from("Zaremba 2014"),
        ),
    ] = 0.0
    word_dropout: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="share of a training text's tokens replaced by the unknown token",
            json_schema_extra=_from("Iyyer 2015"),
        ),
    ] = 0.0
    embedding_dropout: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="share of the vocabulary's words whose vectors are zero for a forward pass",
            json_schema_extra=_from("Gal & Ghahramani 2016; Merity 2018"),
        ),
    ] = 0.0
    locked_dropout: Annotated[
        bool,
        Field(
            description="dropout before and between the layers drops the same features at every "
            "step of a text",
            json_schema_extra=_from("Gal & Ghahramani 2016; Merity 2018"),
        ),
    ] = False
    input_dropout: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="share of the embedded tokens' features dropped",
            json_schema_extra=_from("Zaremba 2014"),
        ),
    ] = 0.0
    weight_drop: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="share of the recurrent weights dropped for a forward pass",
            json_schema_extra=_from("Merity 2018"),
        ),
    ] = 0.0
    layer_norm: Annotated[
        bool,
        Field(
            description="normalise the outputs of each recurrent layer",
            json_schema_extra=_from("Ba 2016"),
        ),
    ] = False
    head_hidden: Annotated[
        int,
        Field(
            ge=0,
            le=4096,
            description="units of a hidden layer (ReLU) in the head; 0 for none",
            json_schema_extra=_from("Howard & Ruder 2018"),
        ),
    ] = 0
    token_drop: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="share of a training text's tokens removed",
            json_schema_extra=_from("Wei & Zou 2019"),
        ),
    ] = 0.0
    token_swap: Annotated[
        float,
        Field(
            ge=0.0,
            le=1.0,
            description="share of a training text's tokens that change places in pairs",
            json_schema_extra=_from("Wei & Zou 2019"),
        ),
    ] = 0.0
    token_crop: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="largest share of a training text cut away at its ends, anew each epoch",
            json_schema_extra=_from("as images are cropped: Krizhevsky 2012"),
        ),
    ] = 0.0
    learning_rate: Annotated[
        float,
        Field(
            gt=0.0,
            le=10.0,
            description="peak step size",
            json_schema_extra=_from("Robbins & Monro 1951"),
        ),
    ] = 1e-3
    weight_decay: Annotated[
        float,
        Field(
            ge=0.0,
            le=1.0,
            description="decoupled decay in adamw, L2 penalty in adam and sgd",
            json_schema_extra=_from("Loshchilov & Hutter 2019"),
        ),
    ] = 0.0
    batch_size: Annotated[
        int,
        Field(
            ge=1,
            le=65536,
            description="texts per optimiser step, whatever memory allows",
            json_schema_extra=_from("Masters & Luschi 2018"),
        ),
    ] = 128
    optimizer: Annotated[
        Literal["adam", "adamw", "sgd"],
        Field(
            description="update rule; sgd has Nesterov momentum 0.9",
            json_schema_extra=_from(
                "adam: Kingma & Ba 2015; adamw: Loshchilov & Hutter 2019; sgd: Sutskever 2013"
            ),
        ),
    ] = "adamw"
    schedule: Annotated[
        Literal["constant", "cosine", "one_cycle"],
        Field(
            description="learning rate over the whole of max_epochs",
            json_schema_extra=_from("cosine: Loshchilov & Hutter 2017; one_cycle: Smith 2018"),
        ),
    ] = "constant"
    clip_norm: Annotated[
        float,
        Field(
            ge=0.0,
            description="largest norm of the whole gradient; 0 turns clipping off",
            json_schema_extra=_from("Pascanu 2013"),
        ),
    ] = 1.0
    label_smoothing: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="share of the target spread over all classes, in training only",
            json_schema_extra=_from("Szegedy 2016"),
        ),
    ] = 0.0
    class_weights: Annotated[
        Literal["none", "balanced"],
        Field(
            description="balanced: each class counts alike in the loss, however many texts it has",
            json_schema_extra=_from("King & Zeng 2001"),
        ),
    ] = "none"
    ema_decay: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="evaluate a running average of the weights with this decay a step; 0: not",
            json_schema_extra=_from("Polyak & Juditsky 1992"),
        ),
    ] = 0.0
    patience: Annotated[
        int,
        Field(
            ge=0,
            description="a search ends a trial after so many epochs with no better value; 0: never",
            json_schema_extra=_from("Prechelt 1998"),
        ),
    ] = 0
