"""Random edits of training texts that keep their meaning, a whole batch at a time.

Texts are cut at the ends, and tokens are dropped and swapped (Wei & Zou 2019). A text is cut before
it is read, by row numbers. The other edits work where the batch is, on a GPU without a word to the
host: there a batch keeps its width, whatever is dropped.

Shapes: B texts, T tokens of the longest.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.core.hyperparameters import Hyperparameters
from trainables.data.text.augmentation import AugmentationHyperparameters
from trainables.data.text.tokens import PAD

Offsets = NDArray[np.int64]


@dataclass(frozen=True)
class Edits:
    """The edits of one epoch.

    Attributes:
        shares: which shares of a text change.
        rng: generator of the cuts.
        generator: generator of everything else, on the device of the batches.
    """

    shares: AugmentationHyperparameters
    rng: np.random.Generator
    generator: torch.Generator

    @classmethod
    def of_epoch(
        cls, hyperparameters: Hyperparameters, rng: np.random.Generator, device: torch.device
    ) -> "Edits | None":
        """Return the edits that a configuration asks for; None if it asks for none."""
        h = hyperparameters
        if not isinstance(h, AugmentationHyperparameters):
            return None
        if not (h.token_crop or h.token_drop or h.token_swap):
            return None
        seed = int(rng.integers(2**63))
        return cls(h, rng, torch.Generator(device).manual_seed(seed))

    def cut(self, starts_B: Offsets, ends_B: Offsets) -> tuple[Offsets, Offsets]:
        """Return the places of the texts without up to a share ``token_crop`` at the ends."""
        if self.shares.token_crop == 0:
            return starts_B, ends_B
        return cut(starts_B, ends_B, self.shares.token_crop, self.rng)

    def apply(self, ids_BT: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """Drop and swap tokens of padded texts; return them and their lengths, at least 1."""
        if self.shares.token_drop > 0:
            ids_BT, lengths_B = drop(ids_BT, lengths_B, self.shares.token_drop, self.generator)
        if self.shares.token_swap > 0:
            ids_BT = swap(ids_BT, lengths_B, self.shares.token_swap, self.generator)
        return ids_BT, lengths_B


def cut(
    starts_B: Offsets, ends_B: Offsets, share: float, rng: np.random.Generator
) -> tuple[Offsets, Offsets]:
    """Cut up to a share of each text away at its ends; every number of tokens is equally likely.

    A text that is not empty keeps a token.
    """
    most_B = ((ends_B - starts_B) * share).astype(np.int64)
    gone_B = rng.integers(most_B + 1)
    in_front_B = rng.integers(gone_B + 1)
    return starts_B + in_front_B, ends_B - (gone_B - in_front_B)


def drop(
    ids_BT: Tensor, lengths_B: Tensor, share: float, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Drop a share of the tokens; return the rest, moved together, and the new lengths.

    One token of each text always stays.
    """
    kept_BT = torch.rand(ids_BT.shape, generator=generator, device=ids_BT.device) >= share
    kept_BT &= _positions(ids_BT) < lengths_B[:, None]
    draws_B = torch.rand(lengths_B.shape, generator=generator, device=ids_BT.device)
    stays_B1 = (draws_B * lengths_B).long()[:, None]
    kept_BT.scatter_(1, stays_B1, torch.ones_like(stays_B1, dtype=torch.bool))
    B, T = ids_BT.shape
    # One column more, for what is dropped.
    places_BT = torch.where(kept_BT, kept_BT.cumsum(1) - 1, T)
    left_BT = ids_BT.new_full((B, T + 1), PAD).scatter_(1, places_BT, ids_BT)
    new_lengths_B = kept_BT.sum(1)
    width = int(new_lengths_B.max()) if ids_BT.device.type == "cpu" else T
    return left_BT[:, :width], new_lengths_B


def swap(
    ids_BT: Tensor, lengths_B: Tensor, share: float, generator: torch.Generator | None
) -> Tensor:
    """Let a share of each text's tokens change places in pairs."""
    positions_T = _positions(ids_BT)
    draws_BT = torch.rand(ids_BT.shape, generator=generator, device=ids_BT.device)
    # The first places of each text in a random order; padding comes last.
    order_BT = draws_BT.masked_fill_(positions_T >= lengths_B[:, None], 1.0).argsort(1)
    pairs_B = torch.minimum((lengths_B * (share / 2)).round().long(), lengths_B // 2)
    pairs_B1 = pairs_B[:, None]
    partners_BT = torch.where(positions_T < pairs_B1, positions_T + pairs_B1, positions_T)
    second_BT = (positions_T >= pairs_B1) & (positions_T < 2 * pairs_B1)
    partners_BT = torch.where(second_BT, positions_T - pairs_B1, partners_BT)
    swapped_BT = ids_BT.gather(1, order_BT.gather(1, partners_BT))
    return torch.empty_like(ids_BT).scatter_(1, order_BT, swapped_BT)


def _positions(ids_BT: Tensor) -> Tensor:
    return torch.arange(ids_BT.shape[1], device=ids_BT.device)
