"""Every random generator a training epoch may draw from, as state that can be stored."""

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's generators (every device's)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def epoch_generator(seed: int, epoch: int) -> np.random.Generator:
    """Make the generator of one epoch's order; it follows from seed and epoch alone."""
    return np.random.default_rng([seed, epoch])


def random_state() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the state of all generators: tensors, and plain JSON."""
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    tensors = {"rng.torch": torch.get_rng_state(), "rng.numpy": torch.from_numpy(np.array(keys))}
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        for index, state in enumerate(torch.cuda.get_rng_state_all()):
            tensors[f"rng.cuda.{index}"] = state
    plain = {"python": random.getstate(), "numpy": [name, position, has_gauss, gauss]}
    return tensors, plain


def restore_random_state(tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
    """Put all generators back to a stored state; a GPU's only where there is one now."""
    torch.set_rng_state(tensors["rng.torch"])
    name, position, has_gauss, gauss = plain["numpy"]
    np.random.set_state((name, tensors["rng.numpy"].numpy(), position, has_gauss, gauss))
    version, internal, gauss_next = plain["python"]
    random.setstate((version, tuple(internal), gauss_next))
    cuda = [tensors[key] for key in sorted(tensors) if key.startswith("rng.cuda.")]
    if cuda and torch.cuda.is_available() and len(cuda) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(cuda)
