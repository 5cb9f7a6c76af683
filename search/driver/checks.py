"""What a session is refused for before anything starts; ``run`` and ``--dry-run`` ask alike."""

import sys
from pathlib import Path

from cluster.checks.nodes import check_nodes
from cluster.connect import offered
from cluster.errors import ClusterError
from cluster.kinds.base import StartRequest
from search.driver.capacity import concurrent_trials, memory_needed
from search.driver.changes import packages
from search.driver.plan import SessionPlan
from search.driver.preparation import PreparedData
from search.errors import SpecError
from search.monitor.say import say
from search.spec.study import ResourcesSpec, StudySpec
from trainables.core.memory import MOST_GPU_STEPS
from trainables.errors import DeviceError
from trainables.kernels.native import RECURRENCE, compiled
from trainables.tasks.registry import find_task


def check_session(spec: StudySpec, plan: SessionPlan, prepared: PreparedData) -> None:
    """Make sure that the cluster can run a trial, as far as that is known before it starts.

    Raises:
        SpecError, DeviceError, ClusterError: what is asked for is not there.
    """
    wanted = plan.resources
    if sys.platform != "linux":
        raise ClusterError(
            f"searches run on Linux, and this machine is {sys.platform}: start one there; what "
            "only reads a study works here"
        )
    if plan.cluster.drives_itself:
        raise ClusterError(f"{plan.cluster}: driver = 'head' is for the command line")
    check_metric(spec, prepared)
    check_steps(spec, prepared)
    plan.cluster.check(wanted.cpus_per_trial)
    if plan.cluster.is_this_machine:
        check_device(spec, wanted)
    nodes = offered(plan.cluster, start_request(spec, plan, Path()))
    if nodes:
        concurrent_trials(wanted, nodes, memory_needed(spec, prepared))


def start_request(spec: StudySpec, plan: SessionPlan, logs: Path) -> StartRequest:
    """Return what a session needs of its cluster; its nodes' logs go to ``logs``."""
    wanted = plan.resources
    # Trials at a time by name: a machine of our own may be crowded.
    cpus = wanted.cpus_per_trial * (wanted.max_concurrent or 0)
    return StartRequest(spec.name, cpus, packages(spec), logs, say)


def check_cluster(spec: StudySpec, folder: Path) -> None:
    """Ask every node of the connected cluster what it is; say it, one line a node.

    ``folder`` is the study's, which all nodes must share.

    Raises:
        ClusterError: trials would fail on a node.
    """
    reports = check_nodes(folder, [package.stem for package in packages(spec)])
    for report in reports:
        say(report.line())
    faults = [text for report in reports for text in report.faults]
    if faults:
        raise ClusterError("\n".join(faults))


def check_metric(spec: StudySpec, prepared: PreparedData) -> None:
    """Make sure that the task reports the study's metric over this data.

    Raises:
        SpecError: it does not.
    """
    missing = find_task(spec.task).declaration.unreported(prepared.of(spec).shape)
    if spec.metric in missing:
        raise SpecError(f"metric = {spec.metric!r}: {missing[spec.metric]}; choose another")


def check_steps(spec: StudySpec, prepared: PreparedData) -> None:
    """Make sure that a GPU can read the longest example.

    Raises:
        SpecError: its recurrent layers fail on so many steps.
    """
    steps, on_gpu = prepared.of(spec).shape.max_steps, spec.resources.gpus_per_trial > 0
    if not on_gpu or steps <= MOST_GPU_STEPS:
        return
    if has_native_recurrence(spec):
        raise SpecError(
            f"an example may have {steps:,} steps; cuDNN's recurrent layers fail beyond "
            f"{MOST_GPU_STEPS:,}: read fewer (data.max_tokens of texts), or compute on CPUs "
            "(resources.gpus_per_trial = 0)"
        )


def has_native_recurrence(spec: StudySpec) -> bool:
    """Whether our kernels can compute a study's models, by what it fixes."""
    kind = find_task(spec.task).declaration.hyperparameters
    # Not validated: what is fixed may suit only what is searched beside it.
    return kind.model_construct(**spec.fixed).has_native_recurrence


def check_device(spec: StudySpec, wanted: ResourcesSpec) -> None:
    """Make sure that this machine computes on what is asked for, and in what is asked for by name.

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
            native = has_native_recurrence(spec)
            try:
                choose_precision(wanted.precision, device, native)
            except DeviceError as error:
                whose = "" if native else f"task {spec.task!r}: "
                raise DeviceError(f"{whose}{error}") from None


def first_notes(spec: StudySpec, total: int) -> list[str]:
    """Say which of ``[[first]]`` the trials in all do not come to; a resume with more does."""
    left = len(spec.first) - total
    if left <= 0:
        return []
    return [
        f"[[first]] has {len(spec.first)} configurations for {total} trials in all: "
        f"the last {left} wait for more (--trials {len(spec.first)})"
    ]


def kernel_notes(spec: StudySpec) -> list[str]:
    """Say where trials on this machine's CPUs compute without our kernels."""
    if spec.resources.gpus_per_trial > 0 or not has_native_recurrence(spec):
        return []
    if compiled(RECURRENCE) is not None:
        return []
    return [
        "no C++ compiler here could compile the recurrence (c++, or the one that CXX names): "
        "torch's own layers serve, at about half the speed"
    ]
