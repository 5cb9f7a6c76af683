"""How many trials fit on a cluster at a time, by cores, GPUs and memory."""

from collections.abc import Sequence
from dataclasses import dataclass

from cluster.connect import Node
from search.driver.preparation import PreparedData
from search.errors import SpecError
from search.spec.space import largest
from search.spec.study import ResourcesSpec, StudySpec
from trainables.core.memory import estimate_bytes
from trainables.data.shipping import Parcel

_GIB = 1 << 30
_REPORT_SECONDS, _REPORT_SECONDS_PER_TRIAL = 0.1, 0.01


@dataclass(frozen=True)
class TrialResources:
    """What each trial gets, how many run at a time, and the corpus for machines without it."""

    cpus: int
    gpus: float
    concurrent: int
    parcel: Parcel | None = None

    @property
    def report_seconds(self) -> float:
        """How long a quick epoch may wait to be reported with the next ones. The driver takes
        about 3 ms for a message, so the more trials run, the longer."""
        return max(_REPORT_SECONDS, _REPORT_SECONDS_PER_TRIAL * self.concurrent)


def memory_needed(spec: StudySpec, prepared: PreparedData) -> int:
    """Bytes that the largest configuration of the space takes in its process."""
    corpus, top = prepared.corpus, largest(spec.dimensions())
    vectors = prepared.vectors(spec)
    return max(
        estimate_bytes(
            spec.hyperparameters(top | {"embedding": kind}, vectors),
            corpus.vocabulary,
            len(corpus.classes),
            spec.data.max_tokens,
        )
        for kind in ["scratch", *vectors]
    )


def concurrent_trials(wanted: ResourcesSpec, nodes: Sequence[Node], memory: int) -> int:
    """How many trials of ``memory`` bytes run at a time: as many as asked for and as fit.

    Raises:
        SpecError: not even one fits.
    """
    fits = sum(_fitting(wanted, node, memory) for node in nodes)
    if fits == 0:
        raise SpecError(_why_none_fits(wanted, nodes, memory))
    return min(fits, wanted.max_concurrent or fits)


def _fitting(wanted: ResourcesSpec, node: Node, memory: int) -> int:
    """How many trials a node holds. One computes on one GPU, so shares of two do not add up."""
    fits = min(node.cpus // wanted.cpus_per_trial, int(node.memory // memory))
    if wanted.gpus_per_trial > 0:
        fits = min(fits, node.gpus * int(1 / wanted.gpus_per_trial + 1e-9))
    return fits


def _why_none_fits(wanted: ResourcesSpec, nodes: Sequence[Node], memory: int) -> str:
    """Why no node holds a trial."""
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


def check_device(wanted: ResourcesSpec) -> None:
    """Makes sure that this machine computes on what is asked for, and in what is asked for by name.

    Raises:
        DeviceError: it does not.
    """
    device = "cuda" if wanted.gpus_per_trial > 0 else "cpu"
    if device == "cuda" or wanted.precision not in ("auto", "float32"):
        from trainables.attempts.probe import choose_precision
        from trainables.core.device import check_gpu

        if device == "cuda":
            check_gpu()
        if wanted.precision != "auto":
            choose_precision(wanted.precision, device)
