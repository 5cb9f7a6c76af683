"""Every section of a report."""

import pytest

from search.report.sections import SECTIONS
from tests.contracts.report_section import ReportSectionContract


class TestSections(ReportSectionContract):
    @pytest.fixture(params=SECTIONS, ids=lambda section: section.__name__)
    def section(self, request):
        return request.param
