"""The random generators that a training epoch may draw from: seeding, storing, restoring."""

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor


def seed_everything(seed: int) -> None:
    """Seed the generators of Python, NumPy and torch, the last on every device."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # NumPy's seeds have 32 bits
    torch.manual_seed(seed)


def epoch_generator(seed: int, epoch: int) -> np.random.Generator:
    """Return the generator of one epoch's order and augmentation, from seed and epoch alone."""
    return np.random.default_rng([seed, epoch])


def random_state() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the state of all generators, as tensors and as plain JSON."""
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    tensors = {"rng.torch": torch.get_rng_state(), "rng.numpy": torch.from_numpy(np.array(keys))}
    # To read a GPU's state would initialise CUDA in a process that does not use it.
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        for index, state in enumerate(torch.cuda.get_rng_state_all()):
            tensors[f"rng.cuda.{index}"] = state
    plain = {"python": random.getstate(), "numpy": [name, position, has_gauss, gauss]}
    return tensors, plain


def restore_random_state(tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
    """Restore a stored state of all generators; GPUs' only where there are as many now."""
    torch.set_rng_state(tensors["rng.torch"])
    name, position, has_gauss, gauss = plain["numpy"]
    np.random.set_state((name, tensors["rng.numpy"].numpy(), position, has_gauss, gauss))
    version, internal, gauss_next = plain["python"]
    random.setstate((version, tuple(internal), gauss_next))
    cuda = [tensors[key] for key in sorted(tensors) if key.startswith("rng.cuda.")]
    if cuda and torch.cuda.is_available() and len(cuda) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(cuda)
