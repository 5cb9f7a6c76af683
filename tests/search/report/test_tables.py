"""Rows as tables."""

import pytest

from search.monitor.hparams import trial_columns
from search.report.tables import as_csv, chance, figure
from tests.study_harness import StudyHarness


def test_hyperparameters_that_are_called_as_a_column_is(tmp_path, tables):
    row = {"number": 0, "state": "completed", "value": 0.91, "params": {"value": 3, "act": "relu"}}
    assert as_csv([row]).splitlines() == [
        "number,state,value,params.value,act",
        "0,completed,0.91,3,relu",
    ]
    harness = StudyHarness(tmp_path, tables)
    harness.begin()
    trial = harness.study.state.trials[0]
    trial.params["host"] = "a parameter"
    columns = trial_columns(trial, harness.study.state, ended=False)
    assert (columns["host"], columns["params.host"]) == ("-", "a parameter")


def test_objects_in_objects_have_columns_and_lists_are_json():
    row = {"leader": {"mean": 0.9, "gain": {"ci95": [0.1, None]}}, "epochs": 7, "driver": None}
    heads = ("driver.pid", "driver.host")
    assert as_csv([row], heads).splitlines() == [
        "driver.pid,driver.host,leader.mean,leader.gain.ci95,epochs",
        ',,0.9,"[0.1, null]",7',
    ]


def test_epochs_of_a_trial_are_left_out_and_rows_may_be_missing():
    assert as_csv([{"number": 0, "epochs": [{"value": 0.5}]}]).splitlines() == ["number", "0"]
    assert as_csv([], ["number", "state"]) == "number,state"


@pytest.mark.parametrize(
    ("value", "scale", "said"),
    [
        (0.8597, None, "0.8597"),
        (0.0193, 0.8597, "0.0193"),
        (0.86, None, "0.8600"),
        (12.34567, None, "12.3457"),
        (0.0, None, "0.0000"),
        (1.2345e-5, None, "0.00001234"),
        (2.1e-6, 1.2345e-5, "0.00000210"),
        (1.2345e-20, None, "1.234e-20"),
        (float("inf"), None, "inf"),
    ],
)
def test_four_digits_that_count(value, scale, said):
    assert figure(value, scale) == said


def test_a_count_over_draws_is_never_certain():
    assert [chance(share) for share in (1.0, 0.996, 0.99, 0.5, 0.01, 0.004, 0.0)] == [
        *("over 99%", "over 99%", "99%", "50%", "1%", "under 1%", "under 1%")
    ]
