"""How many trials fit on a cluster at a time, by cores, GPUs and memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cluster.kinds.base import Node
from search.driver.preparation import PreparedData
from search.errors import SpecError
from search.spec.space import Choice, Dimension, Value, parse_space
from search.spec.study import ResourcesSpec, StudySpec
from trainables.core.hyperparameters import declare
from trainables.core.memory import estimate_bytes, estimate_host_bytes
from trainables.data.shipping import Parcel
from trainables.tasks.registry import find_task

_GIB = 1 << 30
_REPORT_SECONDS, _REPORT_SECONDS_PER_TRIAL = 0.1, 0.01
#: An epoch on a GPU may take no longer than its checkpoint does to reach the disk. So a few are
#: reported together, and all but the last checkpoint are written behind the training.
_GPU_REPORT_SECONDS = 1.0


@dataclass(frozen=True)
class TrialResources:
    """What each trial gets, how many run at a time, and the data for machines without it."""

    cpus: int
    gpus: float
    concurrent: int
    parcel: Parcel | None = None

    @property
    def report_seconds(self) -> float:
        """How long a quick epoch may wait to be reported with the next ones.

        The driver takes about 3 ms for a message, so the more trials run, the longer.
        """
        least = _GPU_REPORT_SECONDS if self.gpus > 0 else _REPORT_SECONDS
        return max(least, _REPORT_SECONDS_PER_TRIAL * self.concurrent)


def memory_needed(spec: StudySpec, prepared: PreparedData) -> int:
    """Estimate the bytes that the largest configuration of the space takes in its process.

    Each dimension is set to whatever takes the most, the others at the most so far.
    """
    kind, inputs = find_task(spec.task).declaration.hyperparameters, prepared.of(spec)

    def needed(params: dict[str, Any]) -> int:
        h = kind.model_validate(inputs.complete({**spec.fixed, **params}))
        parameters, averaged = h.parameter_count(inputs.shape), h.ema_decay > 0
        if spec.resources.gpus_per_trial > 0:
            return estimate_host_bytes(parameters, inputs.shape, averaged)
        return estimate_bytes(parameters, h.activation_bytes_per_step(), inputs.shape, averaged)

    space = parse_space(spec.space, declare(kind))
    largest: dict[str, Any] = {name: _values(dimension)[-1] for name, dimension in space.items()}
    for name, dimension in space.items():
        for value in _values(dimension):
            if needed(largest | {name: value}) > needed(largest):
                largest[name] = value
    return needed(largest)


def _values(dimension: Dimension) -> tuple[Value, ...]:
    """Return every option, the greatest number last; or both ends."""
    if not isinstance(dimension, Choice):
        return dimension.ends
    return tuple(sorted(dimension.options, key=lambda v: 0.0 if isinstance(v, str) else float(v)))


def concurrent_trials(wanted: ResourcesSpec, nodes: Sequence[Node], memory: int) -> int:
    """Return how many trials of ``memory`` bytes run at a time: as many as asked for and as fit.

    Raises:
        SpecError: not even one fits.
    """
    fits = sum(_fitting(wanted, node, memory) for node in nodes)
    if fits == 0:
        raise SpecError(_why_none_fits(wanted, nodes, memory))
    return min(fits, wanted.max_concurrent or fits)


def _fitting(wanted: ResourcesSpec, node: Node, memory: int) -> int:
    """Return how many trials a node holds.

    A trial computes on one GPU, so what is left of two does not add up.
    """
    fits = min(node.cpus // wanted.cpus_per_trial, int(node.memory // memory))
    if wanted.gpus_per_trial > 0:
        fits = min(fits, node.gpus * int(1 / wanted.gpus_per_trial + 1e-9))
    return fits


def _why_none_fits(wanted: ResourcesSpec, nodes: Sequence[Node], memory: int) -> str:
    cpus = max((node.cpus for node in nodes), default=0)
    if wanted.cpus_per_trial > cpus:
        return (
            f"resources.cpus_per_trial = {wanted.cpus_per_trial}: "
            f"no node of the cluster has more than {cpus} CPUs"
        )
    if wanted.gpus_per_trial > 0 and not any(node.gpus for node in nodes):
        return f"resources.gpus_per_trial = {wanted.gpus_per_trial:g}: the cluster has no GPU"
    most = max(node.memory for node in nodes)
    if memory > most:
        return (
            f"the largest configuration of the space takes about {memory / _GIB:.1f} GiB; "
            f"no node has more than {most / _GIB:.1f} GiB to spare: narrow [space]"
        )
    return (
        f"no node of the cluster has all that a trial takes: {wanted.cpus_per_trial} CPUs, "
        f"{wanted.gpus_per_trial:g} GPUs and {memory / _GIB:.1f} GiB of memory"
    )
