"""The embedding layer, from nothing or from pre-trained vectors.

Shapes: V words, E numbers a word.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainables.data.tokens import PAD


def build_embedding(
    vocabulary: int, width: int, vectors_VE: NDArray[np.float32] | None
) -> nn.Embedding:
    """A layer whose padding row is zero.

    Words without a vector are drawn from a normal distribution with the mean and spread of those
    that have one, so they are of the same size.
    """
    layer = nn.Embedding(vocabulary, width, padding_idx=PAD)
    if vectors_VE is None:
        return layer
    known_VE = torch.from_numpy(np.array(vectors_VE))
    missing_V = known_VE[:, 0].isnan()
    covered = known_VE[~missing_V]
    drawn = torch.randn(int(missing_V.sum()), width) * covered.std(dim=0) + covered.mean(dim=0)
    known_VE[missing_V] = drawn
    known_VE[PAD] = 0.0
    with torch.no_grad():
        layer.weight.copy_(known_VE)
    return layer
