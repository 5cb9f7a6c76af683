"""Rows as tables."""

from search.monitor.hparams import trial_columns
from search.report.tables import as_csv
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
