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

#: Numbers kept for each output of an example in a forward pass: as it is computed, in float32, as a
#: log share, and its gradient; and the share of a budget's bytes that they may take.
_OUTPUT_COPIES, _OUTPUT_SHARE = 4, 4
#: Numbers held for each output of the validation part while they are put in order; and those that
#: the metrics make, of a hundred outputs at most: over more they take a piece at a time.
_HELD_COPIES, _METRIC_COPIES, _METRIC_OUTPUTS = 2, 8, 100

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
        validation: number of examples of the validation part; 0 where that is not known.
    """

    vocabulary: int
    outputs: int
    max_steps: int
    validation: int = 0


def micro_batch_steps(bytes_per_step: int, budget: Budget = ON_CPU) -> int:
    """Return the most padded steps, at least one, whose activations fit in ``budget``."""
    return max(1, min(budget.steps, budget.bytes // max(1, bytes_per_step)))


def micro_batch_examples(outputs: int, budget: Budget = ON_CPU) -> int:
    """Return the most examples, at least one, whose outputs fit in their share of ``budget``."""
    return max(1, budget.bytes // _OUTPUT_SHARE // (_OUTPUT_COPIES * FLOAT_BYTES * outputs))


def _output_bytes(steps: int, outputs: int) -> int:
    """Return the bytes of the outputs of a micro-batch, if each example has one step only."""
    examples = min(steps, micro_batch_examples(outputs))
    return _OUTPUT_COPIES * FLOAT_BYTES * outputs * examples


def _validation_bytes(shape: DataShape) -> int:
    """Return the bytes of the outputs of the whole validation part, and of their metrics."""
    metrics = _METRIC_COPIES * min(shape.outputs, _METRIC_OUTPUTS)
    return FLOAT_BYTES * shape.validation * (_HELD_COPIES * shape.outputs + metrics)


def estimate_bytes(parameters: int, bytes_per_step: int, shape: DataShape, averaged: bool) -> int:
    """Estimate the peak resident memory of a process that trains a model on a CPU, in bytes.

    A parameter counts nine times: as weight, gradient and two moments, and as copies of all but
    the gradient while a checkpoint is written. With averaged weights it counts three times more.
    """
    weights = (12 if averaged else 9) * FLOAT_BYTES * parameters
    # An example longer than a micro-batch is read whole all the same.
    steps = max(shape.max_steps, micro_batch_steps(bytes_per_step))
    activations = int(_TAKEN_PER_COUNTED * steps * bytes_per_step)
    outputs = _output_bytes(steps, shape.outputs) + _validation_bytes(shape)
    return BARE_WORKER_BYTES + weights + activations + outputs


def estimate_host_bytes(parameters: int, shape: DataShape, averaged: bool) -> int:
    """Estimate the same of a process that trains on a GPU, whose memory holds all activations.

    A parameter counts ten times: when it is drawn, and three times as weight and two moments: in a
    checkpoint that is written, in the bytes that it becomes, and in another that waits. With
    averaged weights it counts three times more.
    """
    weights = (13 if averaged else 10) * FLOAT_BYTES * parameters
    return BARE_GPU_WORKER_BYTES + weights + _validation_bytes(shape)
