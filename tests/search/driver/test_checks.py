"""What is refused before anything starts."""

from dataclasses import replace

import pytest

from search.driver import checks
from search.driver.checks import first_notes, kernel_notes
from search.driver.preparation import PreparedData
from search.errors import SpecError
from search.spec.resolve import resolve
from tests.study_harness import PREPARED
from trainables.core.memory import DataShape
from trainables.errors import DeviceError


def test_a_machine_without_a_compiler_is_told(tables, monkeypatch):
    spec = resolve(tables, "x")
    assert kernel_notes(spec) == []
    monkeypatch.setattr(checks, "compiled", lambda source: None)
    (note,) = kernel_notes(spec)
    assert "C++ compiler" in note
    assert kernel_notes(resolve(tables | {"resources": {"gpus_per_trial": 1}}, "x")) == []


def test_configurations_that_no_trial_comes_to_are_told(tables):
    spec = resolve(tables | {"first": [{"hidden_size": 4}] * 8}, "x")
    assert first_notes(spec, 8) == []
    (note,) = first_notes(spec, 2)
    assert "8 configurations for 2 trials in all: the last 6 wait for more (--trials 8)" in note


def test_half_the_bits_of_a_model_of_ones_own_are_refused_before_its_trials(tables, monkeypatch):
    """On a CPU that computes our recurrence in them."""
    monkeypatch.setattr(
        "trainables.attempts.probe.precisions",
        lambda device, native=True: ("float32", "bfloat16")[: 1 + native],
    )
    tables["resources"] = {"precision": "bfloat16"}
    ours = resolve(tables, "x")
    checks.check_device(ours, ours.resources)
    tables["task"] = "tests.examples.temporal_cnn:TemporalConvolution"
    tables["space"] = {"channels": [8, 16]}
    own = resolve(tables, "x")
    with pytest.raises(DeviceError, match=r"TemporalConvolution': .* not this project's recurr"):
        checks.check_device(own, own.resources)


def test_a_metric_that_is_not_reported_over_this_data_is_refused(tables):
    spec = resolve(tables | {"metric": "val/auc"}, "x")
    for classes, refused in ((100, False), (120, True)):
        inputs = replace(PREPARED.current, shape=DataShape(10, classes, 16))
        if refused:
            with pytest.raises(SpecError, match=r"'val/auc': .* at most 100 classes, not 120"):
                checks.check_metric(spec, PreparedData(inputs))
        else:
            checks.check_metric(spec, PreparedData(inputs))


def test_a_gpu_reads_as_many_steps_as_cudnn_can_and_no_more(tables):
    spec = resolve(tables | {"resources": {"gpus_per_trial": 1}}, "x")
    longest, longer = (
        PreparedData(replace(PREPARED.current, shape=DataShape(10, 2, steps)))
        for steps in (65_535, 65_536)
    )
    checks.check_steps(spec, longest)
    with pytest.raises(SpecError, match=r"65,536 steps; .* fail beyond 65,535"):
        checks.check_steps(spec, longer)
    checks.check_steps(resolve(tables, "x"), longer)  # on CPUs
