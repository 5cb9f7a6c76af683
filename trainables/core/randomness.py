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


def random_state(device: torch.device) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the state of all generators that a trial on a device uses: tensors, and plain JSON."""
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    tensors = {"rng.torch": torch.get_rng_state(), "rng.numpy": torch.from_numpy(np.array(keys))}
    if device.type == "cuda":  # of this GPU alone: another machine may have more of them or fewer
        tensors["rng.cuda"] = torch.cuda.get_rng_state(device)
    plain = {"python": random.getstate(), "numpy": [name, position, has_gauss, gauss]}
    return tensors, plain


def restore_random_state(
    tensors: dict[str, Tensor], plain: dict[str, Any], device: torch.device
) -> None:
    """Restore a stored state of all generators; a GPU's only for a trial that goes on on a GPU."""
    torch.set_rng_state(tensors["rng.torch"])
    name, position, has_gauss, gauss = plain["numpy"]
    np.random.set_state((name, tensors["rng.numpy"].numpy(), position, has_gauss, gauss))
    version, internal, gauss_next = plain["python"]
    random.setstate((version, tuple(internal), gauss_next))
    if device.type == "cuda" and "rng.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["rng.cuda"], device)
