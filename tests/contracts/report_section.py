"""What every section of a report must hold to; inherit it and say which section."""

from collections.abc import Callable

import pytest

from search.report.content import Section, Subject, Table
from search.report.markdown import render
from tests.study_harness import LOST, StudyHarness


class ReportSectionContract:
    """Needs a fixture ``section``: the function."""

    @pytest.fixture(params=["new", "running", "ended", "broken"])
    def subject(self, request, tmp_path, tables) -> Subject:
        """A study without a trial, one under way, one that has ended, one whose trials failed."""
        tables["space"]["pooling"] = ["last", "mean"]
        harness = StudyHarness(tmp_path, tables, max_failures=0)
        for _ in range({"new": 0, "running": 2, "ended": 6, "broken": 6}[request.param]):
            work = harness.begin()
            if request.param == "broken":
                harness.study.fail(work.number, work.attempt, LOST)
                continue
            epoch = 1
            while harness.report(work, epoch, 0.5 + 0.01 * work.number):
                epoch += 1
                if request.param == "running" and epoch == 2:
                    break
        return Subject(harness.folder, harness.study.state, running=request.param == "running")

    def test_is_data_that_renders(self, section: Callable[[Subject], Section | None], subject):
        made = section(subject)
        if made is None:
            return
        assert made.title and made.parts
        for part in made.parts:
            if isinstance(part, Table):
                assert all(len(row) == len(part.head) for row in part.rows)
        text = render([made])
        assert made.title in text and "None" not in text and "nan" not in text.lower().split()

    def test_says_the_same_twice(self, section, subject):
        assert section(subject) == section(subject)
