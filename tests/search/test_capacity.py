"""How many trials a cluster holds, and how often they report."""

import pytest

from cluster.connect import Capacity
from search.capacity import Allotment, concurrent_trials
from search.errors import SpecError
from search.spec import ResourcesSpec

#: Three nodes; a trial of 4 GiB fits twice into each one's memory.
GIB = 1 << 30
CLUSTER = Capacity(cpus=12, gpus=2.0, nodes=3, cpus_per_node=4, memory_per_node=9.0 * GIB)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, 6),
        ({"cpus_per_trial": 4}, 3),
        ({"gpus_per_trial": 0.5}, 4),
        ({"gpus_per_trial": 0.1}, 6),
        ({"gpus_per_trial": 2.0}, 1),
        ({"max_concurrent": 5}, 5),
        ({"max_concurrent": 50}, 6),
    ],
)
def test_as_many_trials_as_are_wanted_and_fit(wanted, expected):
    assert concurrent_trials(ResourcesSpec(**wanted), CLUSTER, 4 * GIB) == expected


@pytest.mark.parametrize(
    ("wanted", "memory", "message"),
    [
        ({"cpus_per_trial": 5}, GIB, "no node of the cluster has more than 4 CPUs"),
        ({"gpus_per_trial": 3.0}, GIB, "the cluster has 2 GPUs"),
        ({}, 10 * GIB, r"about 10.0 GiB; a node has 9.0 GiB to spare: narrow \[space\]"),
    ],
)
def test_a_trial_that_fits_nowhere_is_refused(wanted, memory, message):
    with pytest.raises(SpecError, match=message):
        concurrent_trials(ResourcesSpec(**wanted), CLUSTER, memory)


@pytest.mark.parametrize(("concurrent", "seconds"), [(1, 0.1), (10, 0.1), (500, 5.0)])
def test_the_more_trials_run_the_longer_quick_epochs_may_wait(concurrent, seconds):
    assert Allotment(1, 0.0, concurrent).report_seconds == pytest.approx(seconds)
