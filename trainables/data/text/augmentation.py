"""The hyperparameters of augmentation, which ``edits.py`` carries out; imports no torch."""

from typing import Annotated

from pydantic import Field

from trainables.core.hyperparameters import Hyperparameters, from_source


class AugmentationHyperparameters(Hyperparameters):
    """Shares of a training text that are changed at random, drawn anew each epoch."""

    token_drop: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="share of a training text's tokens removed",
            json_schema_extra=from_source("Wei & Zou 2019"),
        ),
    ] = 0.0
    token_swap: Annotated[
        float,
        Field(
            ge=0.0,
            le=1.0,
            description="share of a training text's tokens that change places in pairs",
            json_schema_extra=from_source("Wei & Zou 2019"),
        ),
    ] = 0.0
    token_crop: Annotated[
        float,
        Field(
            ge=0.0,
            lt=1.0,
            description="largest share of a training text cut away at its ends, anew each epoch",
            json_schema_extra=from_source("as images are cropped: Krizhevsky 2012"),
        ),
    ] = 0.0
