"""A study file, and a study that has run, for the commands."""

import pytest
import tomli_w

from search.policy.failures import Failure
from tests.study_harness import StudyHarness


@pytest.fixture
def study_file(tmp_path, tables, monkeypatch):
    monkeypatch.setenv("SEQTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.toml"
    path.write_text(tomli_w.dumps(tables))
    return path


@pytest.fixture
def finished(tmp_path, tables, monkeypatch):
    """A study of three trials under results/: completed, pruned, failed; a fourth in flight."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "small"
    folder.mkdir(parents=True)
    harness = StudyHarness(folder, tables)
    works = [harness.begin() for _ in range(4)]
    for epoch, value in enumerate([0.6, 0.9, 0.9, 0.7], start=1):
        harness.report(works[0], epoch, value)
    harness.report(works[1], 1, 0.5)
    harness.study.fail(2, 1, Failure("exception", "ValueError: no", "Traceback …"))
    harness.report(works[3], 1, 0.8)
    return harness
