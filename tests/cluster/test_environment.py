"""Ray's environment variables: whose word counts."""

import os

import pytest

from cluster.environment import NODE_ENVIRONMENT, prepare_environment


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """A copy, and Ray is left alone: what is set is set for the process."""
    monkeypatch.setattr(os, "environ", {"PATH": os.environ["PATH"]})
    monkeypatch.setattr("cluster.environment._read_anew", lambda loopback_only: None)


def test_what_a_user_has_decided_stays():
    os.environ["RAY_AUTH_MODE"] = "disabled"
    prepare_environment(loopback_only=False)
    assert os.environ["RAY_AUTH_MODE"] == "disabled"
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == NODE_ENVIRONMENT["RAY_USAGE_STATS_ENABLED"]


def test_what_a_study_relies_on_is_set_whatever_the_user_has():
    os.environ |= {"TUNE_GLOBAL_CHECKPOINT_S": "1", "TUNE_RESULT_BUFFER_LENGTH": "50"}
    prepare_environment(loopback_only=False)
    assert float(os.environ["TUNE_GLOBAL_CHECKPOINT_S"]) > 1e6
    assert os.environ["TUNE_RESULT_BUFFER_LENGTH"] == "1"


@pytest.mark.parametrize("loopback", [True, False])
def test_only_a_cluster_of_this_machine_alone_stays_on_loopback(loopback):
    prepare_environment(loopback_only=loopback)
    assert ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" in os.environ) == loopback
