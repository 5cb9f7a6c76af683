"""How well an exported graph predicts, in its own runtime: what eight bits cost.

Shapes: N texts, C classes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from trainables.core.batching import micro_batches
from trainables.data.text.tokens import PAD
from trainables.data.text.words import Ids

#: Tokens of a batch.
_TOKENS = 1 << 16


def run_graph(path: Path, ids: Sequence[Ids]) -> NDArray[Any]:
    """Return what a graph says of token ids: probabilities_NC, or values_N."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    lengths_N = np.array([max(1, len(one)) for one in ids], dtype=np.int64)
    found: list[tuple[NDArray[np.int64], NDArray[Any]]] = []
    for rows in micro_batches(np.arange(len(ids)), lengths_N, _TOKENS):
        padded = np.full((len(rows), int(lengths_N[rows].max())), PAD, dtype=np.int64)
        for line, row in zip(padded, rows, strict=True):
            line[: len(ids[row])] = ids[row]
        (said,) = session.run(None, {"ids": padded, "lengths": lengths_N[rows]})
        found.append((rows, said))
    order = np.argsort(np.concatenate([rows for rows, _ in found]))
    return np.asarray(np.concatenate([said for _, said in found])[order])
