"""Which folder a MODEL means."""

import sys

import pytest

from search.errors import StudyNotFound
from search.final.models import find_model
from tests.study_harness import StudyHarness


def test_a_study_without_a_model_is_told_commands_that_work_as_printed(
    tmp_path, tables, monkeypatch
):
    results = tmp_path / "my results"
    StudyHarness(results / "small", tables)
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(sys, "argv", [".venv/bin/seqtune", "predict"])
    with pytest.raises(StudyNotFound) as told:
        find_model("small", results)
    place = f"--results-dir '{results}'"
    assert f".venv/bin/seqtune finalize small {place}" in str(told.value)
    assert f".venv/bin/seqtune export small {place} --trial N" in str(told.value)
