"""Augmentation of training texts: random edits that keep the meaning of a text.

Tokens are dropped and swapped at random (Wei & Zou 2019), and cut away at the ends.

Shapes: T tokens.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from trainables.core.hyperparameters import Hyperparameters, from_source

Ids = NDArray[np.int32]


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


@dataclass(frozen=True)
class Augmentation:
    """An augmentation by its shares of a text's tokens, each 0 to 1.

    Attributes:
        crop: largest share that is cut away at the ends.
        drop: share that is dropped.
        swap: share that change places in pairs.
    """

    crop: float = 0.0
    drop: float = 0.0
    swap: float = 0.0

    def __bool__(self) -> bool:
        return self.crop > 0 or self.drop > 0 or self.swap > 0

    def apply(self, ids_T: Ids, rng: np.random.Generator) -> Ids:
        """Return the changed text; it is never longer, and empty only if ``ids_T`` is empty."""
        if len(ids_T) and self.crop > 0:
            ids_T = _window(ids_T, self.crop, rng)
        if len(ids_T) and self.drop > 0:
            kept_T = rng.random(len(ids_T)) >= self.drop
            kept_T[rng.integers(len(ids_T))] = True  # one token always stays
            ids_T = ids_T[kept_T]
        pairs = round(len(ids_T) * self.swap / 2)
        if pairs:
            ids_T = ids_T.copy()  # it may be a view of the mapped corpus
            places = rng.permutation(len(ids_T))[: 2 * pairs]
            ids_T[places] = ids_T[np.roll(places, pairs)]
        return ids_T


def _window(ids_T: Ids, crop: float, rng: np.random.Generator) -> Ids:
    """Return a run of tokens without up to a share ``crop`` at the ends.

    Every number of tokens cut away is equally likely.
    """
    gone = int(rng.integers(int(len(ids_T) * crop) + 1))
    start = int(rng.integers(gone + 1))
    return ids_T[start : len(ids_T) - (gone - start)]


def augmentation_of(hyperparameters: Hyperparameters) -> Augmentation:
    """Return the augmentation that a configuration asks for; none if its task has none."""
    h = hyperparameters
    if not isinstance(h, AugmentationHyperparameters):
        return Augmentation()
    return Augmentation(h.token_crop, h.token_drop, h.token_swap)
