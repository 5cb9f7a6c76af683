"""Optimisers and learning-rate schedules by name."""

import math
from collections.abc import Callable
from functools import partial
from inspect import unwrap
from typing import Any

import torch
from torch import nn, optim
from torch.optim.lr_scheduler import LambdaLR

from trainables.core.hyperparameters import EmbeddingHyperparameters, Hyperparameters

#: A one-cycle schedule rises for a share ``_RISE`` of its steps. It starts at a share ``_START`` of
#: the peak learning rate. Both are as in Smith (2018).
_RISE, _START = 0.3, 0.04


def embedding_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters of the model's token embedding, if it has one."""
    embedding = getattr(model, "embedding", None)
    return list(embedding.parameters()) if isinstance(embedding, nn.Module) else []


def _without_dynamo(rule: type[optim.Optimizer]) -> Any:
    """Return an optimiser class whose methods do not import torch's compiler.

    torch wraps these five methods to keep its compiler away from them, and imports the compiler to
    do so. That costs 72 MB and 1.8 s in every process that trains.
    """
    methods = ("step", "zero_grad", "add_param_group", "state_dict", "load_state_dict")
    plain: dict[str, Any] = {name: unwrap(getattr(rule, name)) for name in methods}
    # One of the wrappers removed turned gradients off for the step.
    plain["step"] = torch.no_grad()(plain["step"])
    return type(rule.__name__, (rule,), plain)


_RULES = {
    "sgd": partial(_without_dynamo(optim.SGD), momentum=0.9, nesterov=True),
    "adam": _without_dynamo(optim.Adam),
    "adamw": _without_dynamo(optim.AdamW),
}


def freeze_or_release(model: nn.Module, hyperparameters: Hyperparameters, epoch: int) -> None:
    """Freeze the embedding for as long as the hyperparameters ask; ``epoch`` counts from 0."""
    h = hyperparameters
    if not isinstance(h, EmbeddingHyperparameters):
        return
    for parameter in embedding_parameters(model):
        parameter.requires_grad_(not h.freeze_embedding and epoch >= h.freeze_epochs)


def build_optimizer(model: nn.Module, hyperparameters: Hyperparameters) -> optim.Optimizer:
    """Build the fused optimiser; the embedding is a parameter group with its own learning rate."""
    h = hyperparameters
    embedding = embedding_parameters(model)
    factor = h.embedding_lr_factor if isinstance(h, EmbeddingHyperparameters) else 1.0
    # Compared by identity: ``in`` would compare tensors number by number.
    others = [p for p in model.parameters() if all(p is not e for e in embedding)]
    parameters: list[dict[str, Any]] = [
        {"params": others},
        {"params": embedding, "lr": h.learning_rate * factor},
    ]
    built: optim.Optimizer = _RULES[h.optimizer](
        parameters, lr=h.learning_rate, weight_decay=h.weight_decay, fused=True
    )
    return built


def build_schedule(optimizer: optim.Optimizer, kind: str, total_steps: int) -> LambdaLR:
    """Build a schedule to be stepped after every optimiser step, ``total_steps`` times in all."""
    return LambdaLR(optimizer, _factor(kind, total_steps))


def _factor(kind: str, total_steps: int) -> Callable[[int], float]:
    """Return the function from a step to its learning rate, as a share of the peak."""

    def cosine(share: float) -> float:
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, share)))

    def one_cycle(step: int) -> float:
        share = step / total_steps
        if share < _RISE:
            return _START + (1.0 - _START) * (1.0 - cosine(share / _RISE))
        return cosine((share - _RISE) / (1.0 - _RISE))

    factors: dict[str, Callable[[int], float]] = {
        "constant": lambda step: 1.0,
        "cosine": lambda step: cosine(step / total_steps),
        "one_cycle": one_cycle,
    }
    return factors[kind]
