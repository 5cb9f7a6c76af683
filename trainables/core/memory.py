"""Estimates of the memory that a configuration takes, before it is trained; imports no torch.

Invariant: no configuration of a space may take the machine down. One forward pass reads a bounded
number of steps, which bounds the activations. The rest is the weights, their gradients and the
optimiser's state.
"""

from dataclasses import dataclass

FLOAT_BYTES = 4

#: Bytes of activations that a forward pass on a CPU may keep for the backward pass, as
#: ``activation_bytes_per_step`` counts them. The process really takes 0.7 to 1.4 times that with
#: the native kernel, gradients and fragmentation included, and 0.8 to 2.6 times with torch's layers
#: (with 16 units, 5 times the 44 MB counted).
ACTIVATION_BYTES = 256 << 20
#: Bytes taken for each byte counted, a little above the 2.6 measured.
_TAKEN_PER_COUNTED = 3.0

#: Lower bound on the bytes of a step, which caps a CPU's micro-batch at 65,536 tokens. On one core
#: the lecture's model trains on 379, 389 and 425 thousand tokens a second with 16,384, 32,768 and
#: 65,536, at 341, 373 and 441 MB.
LEAST_BYTES_PER_STEP = ACTIVATION_BYTES // 65_536

#: Resident bytes of a worker that has imported torch and Ray and done nothing else.
BARE_WORKER_BYTES = 420 << 20


@dataclass(frozen=True)
class DataShape:
    """Properties of the data that a model's size depends on.

    Attributes:
        vocabulary: number of distinct tokens; 0 where the data has none.
        outputs: numbers that the model returns for an example, such as one for each class.
        max_steps: steps of the longest example, as it is read.
    """

    vocabulary: int
    outputs: int
    max_steps: int


def micro_batch_steps(bytes_per_step: int, activation_bytes: int = ACTIVATION_BYTES) -> int:
    """Return the most padded steps, at least one, whose activations fit in ``activation_bytes``."""
    return max(1, activation_bytes // max(LEAST_BYTES_PER_STEP, bytes_per_step))


def estimate_bytes(parameters: int, bytes_per_step: int, max_steps: int, averaged: bool) -> int:
    """Estimate the peak resident memory of a process that trains a model, in bytes.

    A parameter counts nine times: as weight, gradient and two moments, and as copies of all but
    the gradient while a checkpoint is written. With averaged weights it counts three times more.
    """
    weights = (12 if averaged else 9) * FLOAT_BYTES * parameters
    # An example longer than a micro-batch is read whole all the same.
    steps = max(max_steps, micro_batch_steps(bytes_per_step))
    return BARE_WORKER_BYTES + weights + int(_TAKEN_PER_COUNTED * steps * bytes_per_step)
