"""A temporal convolutional network (Bai et al. 2018) as a task of one's own, in one file.

Shapes: B texts, T tokens, E embedding, H channels, C classes.
"""

from dataclasses import replace
from typing import Annotated, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from trainables.core.memory import FLOAT_BYTES, DataShape
from trainables.networks.embedding import token_embedding
from trainables.networks.hyperparameters import ClassificationHyperparameters, TokenHyperparameters
from trainables.networks.regularisation import embed_tokens
from trainables.tasks.text_classification import TextClassification


class Choices(TokenHyperparameters, ClassificationHyperparameters):
    channels: Annotated[int, Field(ge=1, le=1024, description="features of a layer")] = 64
    levels: Annotated[int, Field(ge=1, le=8, description="layers; each doubles the reach")] = 3
    width: Annotated[int, Field(ge=2, le=9, description="tokens of a filter")] = 3
    activation: Annotated[Literal["relu", "gelu"], Field(description="between layers")] = "relu"

    def parameter_count(self, shape: DataShape) -> int:
        inputs = self.embedding_dim + self.channels * (self.levels - 1)
        filters = self.channels * (inputs * self.width + self.levels)
        head = (self.channels + 1) * shape.outputs
        return shape.vocabulary * self.embedding_dim + filters + head

    def activation_bytes_per_step(self) -> int:
        return FLOAT_BYTES * (3 * self.embedding_dim + 4 * self.levels * self.channels)


class Convolution(nn.Module):
    def __init__(self, h: Choices, context) -> None:
        super().__init__()
        self.hyperparameters, self.embedding = h, token_embedding(h, context)
        inputs = [h.embedding_dim, *[h.channels] * (h.levels - 1)]
        layers = (nn.Conv1d(n, h.channels, h.width, dilation=2**d) for d, n in enumerate(inputs))
        self.layers = nn.ModuleList(layers)
        self.head = nn.Linear(h.channels, len(context.classes))

    def forward(self, ids_BT: Tensor, lengths_B: Tensor) -> Tensor:
        h = self.hyperparameters
        x_BHT = embed_tokens(self.embedding, ids_BT, h).dense().transpose(1, 2)
        for depth, layer in enumerate(self.layers):  # padded in front: no token sees a later one
            x_BHT = layer(functional.pad(x_BHT, ((h.width - 1) * 2**depth, 0)))
            x_BHT = getattr(functional, h.activation)(x_BHT)
        real_BT = torch.arange(ids_BT.shape[1], device=ids_BT.device) < lengths_B[:, None]
        return self.head(x_BHT.masked_fill(~real_BT[:, None], -torch.inf).amax(dim=2))


class TemporalConvolution(TextClassification):
    declaration = replace(TextClassification.declaration, hyperparameters=Choices)

    def build(self) -> nn.Module:
        return Convolution(cast(Choices, self.hyperparameters), self.context)
