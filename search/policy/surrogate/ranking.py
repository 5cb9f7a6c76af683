"""Ranks. ``scipy.stats`` has them too, and takes half a second of every start to import.

Legend: n values.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def mid_ranks(values_n: Array) -> Array:
    """Return the ranks from 1, the least first; equal values have the mean of theirs."""
    ordered_n = np.sort(values_n)
    below_n, upto_n = (np.searchsorted(ordered_n, values_n, side) for side in ("left", "right"))
    return np.asarray((below_n + upto_n + 1) / 2)
