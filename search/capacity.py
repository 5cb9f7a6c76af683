"""How many trials fit on a cluster at a time, by cores, GPUs and memory."""

from dataclasses import dataclass

from cluster.connect import Capacity
from search.errors import SpecError
from search.preparation import Prepared
from search.space import largest
from search.spec import ResourcesSpec, StudySpec
from trainables.data.shipping import Parcel
from trainables.memory import estimate_bytes

_GIB = 1 << 30
_REPORT_SECONDS, _REPORT_SECONDS_PER_TRIAL = 0.1, 0.01


@dataclass(frozen=True)
class Allotment:
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


def memory_needed(spec: StudySpec, prepared: Prepared) -> int:
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


def concurrent_trials(wanted: ResourcesSpec, capacity: Capacity, memory: int) -> int:
    """How many trials of ``memory`` bytes run at a time: as many as asked for and as fit.

    Raises:
        SpecError: not even one fits.
    """
    if wanted.cpus_per_trial > capacity.cpus_per_node:
        raise SpecError(
            f"resources.cpus_per_trial = {wanted.cpus_per_trial}: "
            f"no node of the cluster has more than {capacity.cpus_per_node} CPUs"
        )
    fits = capacity.cpus // wanted.cpus_per_trial
    if wanted.gpus_per_trial > 0:
        if wanted.gpus_per_trial > capacity.gpus:
            raise SpecError(
                f"resources.gpus_per_trial = {wanted.gpus_per_trial:g}: "
                f"the cluster has {capacity.gpus:g} GPUs"
            )
        fits = min(fits, int(capacity.gpus / wanted.gpus_per_trial + 1e-9))
    if memory > capacity.memory_per_node:
        raise SpecError(
            f"the largest configuration of the space takes about {memory / _GIB:.1f} GiB; "
            f"a node has {capacity.memory_per_node / _GIB:.1f} GiB to spare: narrow [space]"
        )
    fits = min(fits, capacity.nodes * int(capacity.memory_per_node // memory))
    return min(fits, wanted.max_concurrent or fits)


def check_precision(wanted: ResourcesSpec) -> None:
    """Makes sure that this machine computes in what is asked for by name.

    Raises:
        DeviceError: it does not.
    """
    if wanted.precision not in ("auto", "float32"):
        from trainables.core.probe import choose_precision

        choose_precision(wanted.precision, "cuda" if wanted.gpus_per_trial else "cpu")
