"""Which words moved a decision: how much the probability falls when one of them is left out.

Leave-one-out (Li et al. 2016, arXiv 1612.08220), in the network's own tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainables.serving.model import Model, probabilities


@dataclass(frozen=True)
class Weight:
    """A token of a text.

    Attributes:
        gain: by how much the probability of the predicted class, or the predicted number, is more
            with it than without.
    """

    token: str
    gain: float


def weigh_tokens(model: Model, texts: Sequence[str]) -> list[list[Weight]]:
    """Return the weight of each token that the model reads of each text, in their order."""
    return [_of_text(model, text) for text in texts]


def _of_text(model: Model, text: str) -> list[Weight]:
    (ids_N,), (tokens,) = model.encoder.encode([text]), model.encoder.tokens([text])
    if not len(ids_N):
        return []
    others = [np.delete(ids_N, place) for place in range(len(ids_N))]
    outputs_NC = model.outputs_of([ids_N, *others])
    if model.config.classes:
        p_NC = probabilities(outputs_NC)
        found_N = p_NC[:, p_NC[0].argmax()]
    else:
        found_N = model.values(outputs_NC)
    gains = (found_N[0] - found_N[1:]).tolist()
    return [Weight(token, gain) for token, gain in zip(tokens, gains, strict=True)]
