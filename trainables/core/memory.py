"""Estimates of the memory that a configuration takes, before it is trained; imports no torch.

Invariant: no configuration of a space may take the machine down. One forward pass reads a bounded
number of steps, which bounds the activations. The rest is the weights, their gradients and the
optimiser's state.
"""

from dataclasses import dataclass

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Budget:
    """What a forward pass may keep for the backward pass.

    Attributes:
        bytes: activations, as ``activation_bytes_per_step`` counts them.
        steps: padded steps of all examples together.
    """

    bytes: int
    steps: int


#: On one core the lecture's model trains on 379, 389 and 425 thousand tokens a second with 16,384,
#: 32,768 and 65,536 at a time, at 341, 373 and 441 MB. The process really takes 0.7 to 1.4 times
#: the bytes counted with the native kernel, gradients and fragmentation included, and 0.8 to 2.6
#: times with torch's layers (with 16 units, 5 times the 44 MB counted).
ON_CPU = Budget(bytes=256 << 20, steps=65_536)
#: In a process of anybody's: larger arrays glibc would return to the system after each pass, and
#: fetching them again takes as long as half of the computing.
ANYWHERE = Budget(bytes=64 << 20, steps=16_384)
#: A GPU needs many texts at a time to be busy. A constant, and no share of its memory: a trial that
#: is resumed on a smaller share, or on another GPU, must add up the same gradients in one order.
ON_GPU = Budget(bytes=2 << 30, steps=262_144)
#: Most steps of an example in a recurrent layer of cuDNN (pytorch#133751).
MOST_GPU_STEPS = 65_535
#: Bytes taken for each byte counted, a little above the 2.6 measured.
_TAKEN_PER_COUNTED = 3.0

#: Resident bytes of a worker that has imported torch and Ray and done nothing else; and of one that
#: computes on a GPU, where CUDA's libraries come on top (an estimate).
BARE_WORKER_BYTES, BARE_GPU_WORKER_BYTES = 420 << 20, 2 << 30


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


def micro_batch_steps(bytes_per_step: int, budget: Budget = ON_CPU) -> int:
    """Return the most padded steps, at least one, whose activations fit in ``budget``."""
    return max(1, min(budget.steps, budget.bytes // max(1, bytes_per_step)))


def estimate_bytes(parameters: int, bytes_per_step: int, max_steps: int, averaged: bool) -> int:
    """Estimate the peak resident memory of a process that trains a model on a CPU, in bytes.

    A parameter counts nine times: as weight, gradient and two moments, and as copies of all but
    the gradient while a checkpoint is written. With averaged weights it counts three times more.
    """
    weights = (12 if averaged else 9) * FLOAT_BYTES * parameters
    # An example longer than a micro-batch is read whole all the same.
    steps = max(max_steps, micro_batch_steps(bytes_per_step))
    return BARE_WORKER_BYTES + weights + int(_TAKEN_PER_COUNTED * steps * bytes_per_step)


def estimate_host_bytes(parameters: int, averaged: bool) -> int:
    """Estimate the same of a process that trains on a GPU, whose memory holds all activations.

    A parameter counts seven times: when it is drawn, and twice as weight and two moments while a
    checkpoint is written. With averaged weights it counts twice more.
    """
    return BARE_GPU_WORKER_BYTES + (9 if averaged else 7) * FLOAT_BYTES * parameters
