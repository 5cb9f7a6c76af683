"""How many trials a cluster holds, and how often they report."""

import itertools
from dataclasses import replace

import pytest

from cluster.kinds.base import Node
from search.driver.capacity import TrialResources, concurrent_trials, memory_needed
from search.driver.changes import declared
from search.driver.preparation import PreparedData
from search.errors import SpecError
from search.spec.resolve import resolve
from search.spec.space import Choice, parse_space
from search.spec.study import ResourcesSpec
from tests.study_harness import TEXTS
from trainables.core.memory import DataShape, estimate_bytes, estimate_host_bytes
from trainables.embeddings.vectors import Vectors
from trainables.networks.hyperparameters import RecurrentClassifierHyperparameters

#: A head with no cores to spare and little memory, and two workers; a trial takes 4 GiB.
GIB = 1 << 30
CLUSTER = [Node(0, 0, 1.0 * GIB), Node(4, 2, 9.0 * GIB), Node(8, 0, 40.0 * GIB)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, 2 + 8),
        ({"cpus_per_trial": 3}, 1 + 2),
        ({"cpus_per_trial": 8}, 1),
        ({"gpus_per_trial": 1.0}, 2),
        ({"gpus_per_trial": 0.1}, 2),
        ({"max_concurrent": 5}, 5),
        ({"max_concurrent": 50}, 10),
    ],
)
def test_as_many_trials_as_are_wanted_and_fit(wanted, expected):
    assert concurrent_trials(ResourcesSpec(**wanted), CLUSTER, 4 * GIB) == expected


@pytest.mark.parametrize(("share", "expected"), [(1.0, 2), (0.6, 2), (0.4, 4), (0.1, 20)])
def test_a_trial_computes_on_one_gpu(share, expected):
    node = Node(64, 2, 1000.0 * GIB)
    assert concurrent_trials(ResourcesSpec(gpus_per_trial=share), [node], GIB) == expected


@pytest.mark.parametrize(
    ("wanted", "nodes", "memory", "message"),
    [
        ({"cpus_per_trial": 9}, CLUSTER, GIB, "no node of the cluster has more than 8 CPUs"),
        ({"gpus_per_trial": 1.0}, CLUSTER[2:], GIB, "the cluster has no GPU"),
        ({}, CLUSTER, 41 * GIB, r"41.0 GiB; no node has more than 40.0 GiB .* narrow \[space\]"),
        ({"gpus_per_trial": 0.5}, CLUSTER, 10 * GIB, "all that a trial takes: 1 CPUs, 0.5 GPUs"),
    ],
)
def test_a_trial_that_fits_nowhere_is_refused(wanted, nodes, memory, message):
    with pytest.raises(SpecError, match=message):
        concurrent_trials(ResourcesSpec(**wanted), nodes, memory)


@pytest.mark.parametrize(("concurrent", "seconds"), [(1, 0.1), (10, 0.1), (500, 5.0)])
def test_the_more_trials_run_the_longer_quick_epochs_may_wait(concurrent, seconds):
    assert TrialResources(1, 0.0, concurrent).report_seconds == pytest.approx(seconds)


def test_the_largest_configuration_is_what_is_counted(tables):
    """Against every corner of the space, choices without numbers included."""
    tables["fixed"] = {}
    tables["space"] = {
        "cell": ["rnn", "lstm", "gru"],
        "pooling": ["concat", "last"],
        "embedding_dim": [64, 16],
        "hidden_size": {"low": 8, "high": 256},
        "num_layers": {"low": 1, "high": 3},
        "bidirectional": [True, False],
        "ema_decay": [0.0, 0.9],
        "dropout": {"low": 0.0, "high": 0.5},
        "embedding": ["glove", "scratch"],
    }
    spec = resolve(tables, "x")
    wide = replace(TEXTS, vectors={"glove": Vectors("f", 300, 1.0, 1.0)})
    shape, corners = wide.shape, []
    space = parse_space(spec.space, declared(spec))
    ends = [d.options if isinstance(d, Choice) else d.ends for d in space.values()]
    for values in itertools.product(*ends):
        chosen = wide.complete(dict(zip(space, values, strict=True)))
        h = RecurrentClassifierHyperparameters(**chosen)
        counted = h.parameter_count(shape), h.activation_bytes_per_step()
        corners.append(estimate_bytes(*counted, shape, averaged=h.ema_decay > 0))
    assert memory_needed(spec, PreparedData(wide)) == max(corners)
    on_gpu = resolve(tables | {"resources": {"gpus_per_trial": 0.5}}, "x")
    assert memory_needed(on_gpu, PreparedData(wide)) == estimate_host_bytes(
        max_parameters(spec, wide), shape, averaged=True
    )


@pytest.mark.parametrize("resources", [{}, {"gpus_per_trial": 0.5}])
def test_the_outputs_of_many_classes_count(tables, resources):
    """20,000 validation texts of 10,000 classes are 800 MB of logits, held twice for a moment."""
    spec = resolve(tables | {"resources": resources}, "x")
    few, many = (
        memory_needed(spec, PreparedData(replace(TEXTS, shape=DataShape(10, classes, 16, 20_000))))
        for classes in (2, 10_000)
    )
    assert 1.6e9 < many - few < 2.0e9


def max_parameters(spec, prepared):
    h = {"cell": "lstm", "pooling": "concat", "hidden_size": 256, "num_layers": 3}
    chosen = prepared.complete({**h, "bidirectional": True, "embedding": "glove"})
    return RecurrentClassifierHyperparameters(**chosen).parameter_count(prepared.shape)


def test_a_gpus_epochs_wait_longer_to_be_reported_together():
    assert TrialResources(1, 0.0, 4).report_seconds == 0.1
    assert TrialResources(1, 0.25, 4).report_seconds == 1.0
    assert TrialResources(1, 0.25, 300).report_seconds == 3.0
